"""Whether a graph fits the models that it names. Every complaint names the edge, or the stage, that is at fault."""

from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from typing import NoReturn

from sextant.bundles.manifest import HYBRID, LatentSpace, Manifest
from sextant.contract.errors import BundleRefused
from sextant.contract.media import Modality
from sextant.contract.tasks import TaskKind
from sextant.hybrids.graph import Choice, Edge, Graph
from sextant.hybrids.ports import (
    NEEDS_SOURCE,
    PORTS,
    REQUEST_PARTS,
    SHARED_PORTS,
    VALUES,
    Picture,
    made_media,
    picture_made,
    picture_read,
    space_of,
)
from sextant.hybrids.stage_parameters import parse_parameters


def check_graph(bundle: str, kind: TaskKind, graph: Graph, models: Mapping[str, Manifest]) -> tuple[str, ...]:
    """The stages in an order in which each comes after all that it reads.

    `models` are the manifests of the stages' models. Raises `BundleRefused` for the first thing that does not fit.
    """
    return _Checker(bundle, kind, graph, models).check()


class _Checker:
    def __init__(self, bundle: str, kind: TaskKind, graph: Graph, models: Mapping[str, Manifest]) -> None:
        self._bundle, self._kind, self._graph, self._models = bundle, kind, graph, models

    def check(self) -> tuple[str, ...]:
        if self._kind is TaskKind.INTERPOLATE:
            self._refuse("a hybrid does not walk paths; the model whose latent space it is does")
        for name in self._graph.stages:
            self._check_stage(name)
        self._check_ends()
        for edge in self._graph.edges:
            self._check_edge(edge)
        for name in self._graph.stages:
            self._check_reads(name)
        order = self._order()
        self._check_shown()
        if self._graph.choose is not None:
            self._check_choice(self._graph.choose)
        self._check_used()
        return order

    def _manifest(self, stage: str) -> Manifest:
        return self._models[self._graph.stages[stage].model]

    def _check_stage(self, name: str) -> None:
        stage = self._graph.stages[name]
        manifest = self._models.get(stage.model)
        if name == "request":
            self._refuse(f"stage {name}: this name stands for what is asked for")
        if manifest is None:
            self._refuse(f"stage {name}: model {stage.model!r} is unknown")
        if manifest.family == HYBRID:
            self._refuse(f"stage {name}: {stage.model} is itself a hybrid")
        if stage.task not in manifest.tasks:
            can = ", ".join(manifest.tasks)
            self._refuse(f"stage {name}: {stage.model} does not {stage.task}; it can {can}")
        if stage.task is TaskKind.INTERPOLATE:
            self._refuse(f"stage {name}: a path is no stage")
        try:
            parse_parameters(manifest, stage.parameters)
        except ValueError as error:
            self._refuse(f"stage {name}: parameters: {error}")

    def _check_ends(self) -> None:
        """That edges lead from what there is to what there is; no two to what holds one thing."""
        taken: set[str] = set()
        for edge in self._graph.edges:
            if edge.stage not in self._graph.stages:
                self._refuse(f"edge {edge}: there is no stage {edge.stage!r}")
            if edge.port not in PORTS:
                self._refuse(f"edge {edge}: a stage reads {', '.join(PORTS)}, not {edge.port!r}")
            part = edge.request_part
            if part is None and edge.source not in self._graph.stages:
                self._refuse(f"edge {edge}: there is no stage {edge.source!r}")
            if part is not None and part not in REQUEST_PARTS:
                self._refuse(f"edge {edge}: a request has {', '.join(REQUEST_PARTS)}, not {part!r}")
            if edge.to in taken and edge.port not in SHARED_PORTS:
                self._refuse(f"edge {edge}: another one leads there already")
            taken.add(edge.to)

    def _check_edge(self, edge: Edge) -> None:
        part, accepted = edge.request_part, PORTS[edge.port]
        if part in VALUES or accepted is None:
            if part != edge.port or edge.media is not None or edge.space is not None:
                self._refuse(f"edge {edge}: {edge.port if accepted is None else part} flows as what it is, untyped")
            return
        if edge.otherwise is not None and (part is None or REQUEST_PARTS[part] is not Modality.TEXT):
            self._refuse(f"edge {edge}: only a text of the request has an otherwise")
        media = self._media_of(edge)
        if media not in accepted:
            self._refuse(f"edge {edge}: {edge.port} is not {media}")
        if part is None:
            self._check_made(edge, media)
        self._check_read(edge, media)

    def _media_of(self, edge: Edge) -> Modality:
        """What flows along an edge, as it says itself."""
        known = None if edge.request_part is None else REQUEST_PARTS[edge.request_part]
        said = Modality.LATENT if edge.space is not None else edge.media
        if said is None and known is None:
            self._refuse(f"edge {edge}: must say the medium or the latent space of what flows")
        if said is not None and known is not None and said is not known:
            self._refuse(f"edge {edge}: a request's {edge.request_part} is {known}, not {said}")
        media = said or known
        assert media is not None
        return media

    def _check_made(self, edge: Edge, media: Modality) -> None:
        stage, manifest = self._graph.stages[edge.source], self._manifest(edge.source)
        made = made_media(manifest, stage.task)
        if stage.task is TaskKind.SCORE:
            self._refuse(f"edge {edge}: a score is a figure, which nothing reads")
        if media not in made:
            self._refuse(f"edge {edge}: {manifest.name} makes {_listed(made)}, not {media}")
        if edge.space is not None:
            self._space(edge, edge.source, condition=False)
            if stage.task is TaskKind.ENCODE:
                for other in self._graph.out_of(edge.source):
                    if other.space != edge.space:
                        self._refuse(f"edge {other}: {edge.source} encodes to one space, which is {edge.space}")

    def _check_read(self, edge: Edge, media: Modality) -> None:
        manifest = self._manifest(edge.stage)
        if media not in manifest.inputs and edge.port != "mask":
            self._refuse(f"edge {edge}: {manifest.name} takes {_listed(manifest.inputs)}, not {media}")
        if edge.space is not None:
            read = self._space(edge, edge.stage, condition=edge.port in SHARED_PORTS)
            if edge.request_part is None:
                made = self._space(edge, edge.source, condition=False)
                if made.shape != read.shape:
                    shapes = f"{self._manifest(edge.source).name} makes {list(made.shape)} of {edge.space}"
                    self._refuse(f"edge {edge}: {shapes}, {manifest.name} reads {list(read.shape)}")
        if media is Modality.IMAGE and edge.request_part is None:
            self._check_sizes(edge, picture_made(self._manifest(edge.source)), picture_read(manifest, edge.port))

    def _check_sizes(self, edge: Edge, made: Picture | None, read: Picture | None) -> None:
        if made is not None and read is not None and made != read:
            makes, takes = self._manifest(edge.source).name, self._manifest(edge.stage).name
            self._refuse(f"edge {edge}: {makes} makes pictures of {made}, {takes} takes {read}")

    def _space(self, edge: Edge, stage: str, *, condition: bool) -> LatentSpace:
        """The edge's latent space as the model of `stage` knows it: as a condition, or as what it works on."""
        assert edge.space is not None
        manifest = self._manifest(stage)
        space = space_of(manifest, edge.space, condition=condition)
        if space is None:
            known = ", ".join(dict.fromkeys(known.id for known in manifest.latent_spaces)) or "none"
            reason = f"does not know {edge.space}; it knows {known}"
            if space_of(manifest, edge.space, condition=not condition) is not None:
                reason = f"knows {edge.space} only {'as what it works on' if condition else 'as a condition'}"
            self._refuse(f"edge {edge}: {manifest.name} {reason}")
        return space

    def _check_reads(self, name: str) -> None:
        """That a stage has what it works on, once."""
        stage = self._graph.stages[name]
        ports = {edge.port for edge in self._graph.into(name)}
        if stage.text is not None and "source" in ports:
            self._refuse(f"stage {name}: its source is said, and an edge leads to it")
        if stage.task in NEEDS_SOURCE and stage.text is None and "source" not in ports:
            self._refuse(f"stage {name}: no edge leads to its source, and to {stage.task} it needs one")
        if stage.text is not None and Modality.TEXT not in self._manifest(name).inputs:
            self._refuse(f"stage {name}: {stage.model} does not take text")
        for port, said in (("strength", stage.strength is not None), ("class_label", bool(stage.class_label))):
            if said and port in ports:
                self._refuse(f"stage {name}: its {port} is said, and an edge leads to it")

    def _order(self) -> tuple[str, ...]:
        reads = {
            name: [edge.source for edge in self._graph.into(name) if edge.request_part is None]
            for name in self._graph.stages
        }
        try:
            return tuple(TopologicalSorter(reads).static_order())
        except CycleError as error:
            around: list[str] = error.args[1]
            pairs = list(pairwise(around))
            edges = [edge for edge in self._graph.edges if (edge.source, edge.stage) in pairs]
            self._refuse(f"edge {edges[-1]}: closes a cycle, {' -> '.join(around)}")

    def _check_shown(self) -> None:
        """Answer, stream and preview."""
        graph = self._graph
        for role, stage in (("answer", graph.answer), ("stream", graph.stream), ("preview", graph.preview)):
            if stage is not None and stage not in graph.stages:
                self._refuse(f"{role}: there is no stage {stage!r}")
        answers = {TaskKind.ENCODE: (TaskKind.ENCODE,), TaskKind.SCORE: (TaskKind.SCORE,)}
        makes = (TaskKind.GENERATE, TaskKind.TRANSFORM, TaskKind.DECODE)
        found = graph.stages[graph.answer].task
        if found not in answers.get(self._kind, makes):
            self._refuse(f"answer: stage {graph.answer} does {found}, which is no answer to {self._kind}")
        if graph.preview is None:
            return
        if graph.stream is None:
            self._refuse("preview: no stage is streamed")
        reads = graph.into(graph.preview)
        if graph.stages[graph.preview].task is not TaskKind.DECODE:
            self._refuse(f"preview: stage {graph.preview} does not decode")
        if [(edge.source, edge.port) for edge in reads if edge.request_part is None] != [(graph.stream, "source")]:
            self._refuse(f"preview: stage {graph.preview} must read {graph.stream} as its source, and no other stage")

    def _check_choice(self, choice: Choice) -> None:
        for name in choice.by:
            if name not in self._graph.stages:
                self._refuse(f"choose: there is no stage {name!r}")
        tasks = tuple(self._graph.stages[name].task for name in choice.by)
        if tasks == (TaskKind.SCORE,):
            return
        if tasks != (TaskKind.ENCODE, TaskKind.ENCODE):
            self._refuse("choose: by one stage that scores, or by two that encode")
        spaces = [{space.id for space in self._manifest(name).latent_spaces} for name in choice.by]
        shared = spaces[0] & spaces[1]
        if len(shared) != 1:
            both = " and ".join(choice.by)
            self._refuse(f"choose: {both} encode to one space that both know, of which there are {len(shared)}")

    def _check_used(self) -> None:
        """That every stage leads somewhere."""
        graph = self._graph
        ends = {graph.answer, *(graph.choose.by if graph.choose else ())}
        for name in graph.stages:
            if name not in ends and not graph.out_of(name):
                self._refuse(f"stage {name}: leads nowhere")

    def _refuse(self, reason: str) -> NoReturn:
        raise BundleRefused(self._bundle, f"graph.{self._kind}: {reason}")


def _listed(media: Iterable[Modality]) -> str:
    return ", ".join(sorted(media)) or "nothing"
