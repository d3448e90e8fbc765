"""What a hybrid's `model.toml` says under `graph`: for each task its stages, and the edges between them.

[graph.generate]
answer = "refine"
stream = "refine"

[graph.generate.stages.draft]
model = "fashion-cvae"
task = "generate"

[graph.generate.stages.refine]
model = "fashion-diffusion"
task = "transform"
strength = 0.4
parameters = { steps = 20 }

[[graph.generate.edges]]
from = "draft"
to = "refine.source"
media = "image"
"""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError, model_validator

from sextant.bundles.manifest import Manifest, Name
from sextant.bundles.verify import explain
from sextant.contract.errors import BundleRefused
from sextant.contract.media import Modality
from sextant.contract.tasks import TaskKind

REQUEST = "request"
StageName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,31}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Stage(_Strict):
    """One model, and what it is asked for.

    `parameters` are of its family, by their names in generation.proto, and go before its own defaults; a request's go
    before both. `text` is what it always reads (a guidance's empty prompt), in place of an edge to its source. With
    `seed` "request" it draws as it would if it were asked alone, so that stages which draw the same thing, a class
    say, draw alike; with "own" what it draws is independent of all other stages.
    """

    model: Name
    task: TaskKind
    parameters: dict[str, Any] = {}
    strength: float | None = Field(default=None, gt=0, le=1)
    class_label: str = ""
    text: str | None = None
    seed: Literal["own", "request"] = "own"


class Edge(_Strict):
    """From a stage, or a part of the request ("request.prompt"), to what another stage reads ("refine.source").

    What flows is of a medium or a point of a latent space; parts of the request other than its source say that by
    their name. `otherwise` is the text where the request brings none.
    """

    source: str = Field(alias="from", pattern=r"^(request\.[a-z_]+|[a-z][a-z0-9_-]*)$")
    to: str = Field(pattern=r"^[a-z][a-z0-9_-]*\.[a-z_]+$")
    media: Modality | None = None
    space: str | None = Field(default=None, min_length=1, max_length=128)
    otherwise: str | None = None

    @property
    def stage(self) -> str:
        """The stage that reads."""
        return self.to.partition(".")[0]

    @property
    def port(self) -> str:
        """What it reads it as."""
        return self.to.partition(".")[2]

    @property
    def request_part(self) -> str | None:
        """The part of the request that it comes from; None where it comes from a stage."""
        head, dot, part = self.source.partition(".")
        return part if dot and head == REQUEST else None

    def __str__(self) -> str:
        return f"{self.source} -> {self.to}"

    @model_validator(mode="after")
    def _is_of_one_type(self) -> Self:
        if self.media is not None and self.space is not None:
            raise ValueError(f"edge {self}: is of a medium or of a latent space, not both")
        if self.media is Modality.LATENT:
            raise ValueError(f"edge {self}: a latent flows with the id of its space, not as a medium")
        return self


class Choice(_Strict):
    """Of `candidates` made for each item the best is the answer.

    `by` names a stage of task score, whose likelihood decides; or two that encode to one latent space, whose cosine
    does.
    """

    candidates: int = Field(ge=2, le=64)
    by: tuple[StageName, ...] = Field(min_length=1, max_length=2)


class Graph(_Strict):
    """How one task is done. `answer` is the stage whose result is the item.

    `stream` is the stage whose progress, and previews, are shown; its previews that are latents are decoded by the
    stage `preview`, or not shown where none is named.
    """

    answer: StageName
    stream: StageName | None = None
    preview: StageName | None = None
    choose: Choice | None = None
    stages: dict[StageName, Stage] = Field(min_length=1, max_length=32)
    edges: tuple[Edge, ...] = Field(default=(), max_length=256)

    def into(self, stage: str) -> tuple[Edge, ...]:
        """What a stage reads."""
        return tuple(edge for edge in self.edges if edge.stage == stage)

    def out_of(self, stage: str) -> tuple[Edge, ...]:
        """What is read of a stage."""
        return tuple(edge for edge in self.edges if edge.source == stage)


_GRAPHS: TypeAdapter[dict[TaskKind, Graph]] = TypeAdapter(Annotated[dict[TaskKind, Graph], Field(min_length=1)])


def read_graphs(manifest: Manifest) -> dict[TaskKind, Graph]:
    """The graph of each task. Raises `BundleRefused` where the manifest has none, or one that is malformed."""
    try:
        return _GRAPHS.validate_python(manifest.graph)
    except ValidationError as error:
        raise BundleRefused(manifest.name, f"graph: {explain(error)}") from error
