"""A hybrid whose graphs fit the models at hand: what an execution runs."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sextant.bundles.manifest import Manifest
from sextant.contract.errors import BundleRefused
from sextant.contract.tasks import StageParameters, TaskKind
from sextant.hybrids.check import check_graph
from sextant.hybrids.graph import Graph, read_graphs
from sextant.hybrids.stage_parameters import parse_parameters


@dataclass(frozen=True, slots=True)
class Plan:
    """How one task is done: `order` has each stage after all that it reads.

    `parameters` are the graph's own for each stage, `spaces` the latent space that each stage which encodes writes to.
    """

    kind: TaskKind
    graph: Graph
    order: tuple[str, ...]
    parameters: Mapping[str, StageParameters | None]
    spaces: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Hybrid:
    """`manifest` says, besides what is written, the classes and sizes that follow from the stages."""

    manifest: Manifest
    plans: Mapping[TaskKind, Plan]

    @property
    def models(self) -> tuple[str, ...]:
        """The models of all stages, each once."""
        return models_of(self.plans[kind].graph for kind in self.plans)


def models_of(graphs: Iterable[Graph]) -> tuple[str, ...]:
    """The models that graphs name, each once, in the order of their first mention."""
    return tuple(dict.fromkeys(stage.model for graph in graphs for stage in graph.stages.values()))


def build_hybrid(manifest: Manifest, models: Mapping[str, Manifest]) -> Hybrid:
    """The hybrid that `manifest` describes, of the models whose manifests are given by name.

    Raises `BundleRefused`, naming the edge at fault, where the graph is malformed or does not fit the models.
    """
    graphs = read_graphs(manifest)
    if set(graphs) != set(manifest.tasks):
        said, drawn = ", ".join(sorted(manifest.tasks)), ", ".join(sorted(graphs))
        raise BundleRefused(manifest.name, f"its tasks are {said}, and its graphs of {drawn}")
    plans = {kind: _plan(manifest.name, kind, graph, models) for kind, graph in graphs.items()}
    if manifest.deterministic:
        _check_determinism(manifest.name, graphs, models)
    return Hybrid(manifest.model_copy(update={"network": _network(plans, models)}), plans)


def _plan(bundle: str, kind: TaskKind, graph: Graph, models: Mapping[str, Manifest]) -> Plan:
    order = check_graph(bundle, kind, graph, models)
    parameters = {name: parse_parameters(models[stage.model], stage.parameters) for name, stage in graph.stages.items()}
    spaces = {edge.source: edge.space for edge in graph.edges if edge.request_part is None and edge.space is not None}
    if graph.choose is not None and len(graph.choose.by) == 2:
        first, second = (
            {space.id for space in models[graph.stages[name].model].latent_spaces} for name in graph.choose.by
        )
        spaces |= dict.fromkeys(graph.choose.by, next(iter(first & second)))
    return Plan(kind, graph, order, parameters, spaces)


def _check_determinism(bundle: str, graphs: Mapping[TaskKind, Graph], models: Mapping[str, Manifest]) -> None:
    """A hybrid promises the same bytes for the same seed only where all of its stages do."""
    for kind, graph in graphs.items():
        for name, stage in graph.stages.items():
            if not models[stage.model].deterministic:
                reason = f"it promises the same bytes for the same seed, which {stage.model} does not"
                raise BundleRefused(bundle, f"graph.{kind}: stage {name}: {reason}")


def _network(plans: Mapping[TaskKind, Plan], models: Mapping[str, Manifest]) -> dict[str, Any]:
    """What a network's manifest would say of sizes and classes, for whoever asks whether the hybrid fits a request."""
    network: dict[str, Any] = {}
    for plan in plans.values():
        answer = models[plan.graph.stages[plan.graph.answer].model].network
        network |= {key: answer[key] for key in ("height", "width", "channels") if key in answer}
        for edge in plan.graph.edges:
            classes = models[plan.graph.stages[edge.stage].model].network.get("classes")
            if edge.request_part == "class_label" and classes:
                known = network.get("classes", classes)
                network["classes"] = [name for name in known if name in classes]
    return network
