"""`model.toml`: what a bundle says of itself. Written by exporters, read by everything else."""

from pathlib import PurePosixPath
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

from sextant.contract.events import Estimator
from sextant.contract.media import Modality
from sextant.contract.tasks import TaskKind

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
HYBRID = "hybrid"
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LatentSpace(_Strict):
    """A latent space the model writes to or reads from; models that share an id share the space.

    An axis of 0 may have any length, as that of tokens has. The model reads points of a space with `condition` as
    conditions alone, and neither makes nor decodes them.
    """

    id: str = Field(min_length=1, max_length=128)
    shape: tuple[int, ...]
    condition: bool = False


class Parity(_Strict):
    """Largest difference between the served network and its reference; a bundle over `tolerance` is not served.

    Relative error is the absolute error over the largest magnitude of the reference output.
    """

    max_abs_error: float = Field(ge=0, allow_inf_nan=False)
    max_rel_error: float = Field(ge=0, allow_inf_nan=False)
    tolerance: float = Field(gt=0, allow_inf_nan=False)
    reference: str = Field(min_length=1)


class Measurement(_Strict):
    """One measured figure with its unit ("1" for none) and what it was measured on."""

    name: str
    value: float = Field(allow_inf_nan=False)
    unit: str
    conditions: str


class File(_Strict):
    """A file of the bundle; its key in `Manifest.files` is its path, relative and inside the bundle."""

    sha256: Sha256
    bytes: int = Field(ge=0)


class Manifest(_Strict):
    """The whole of `model.toml`."""

    schema_version: Literal[1] = 1
    name: Name
    version: Annotated[str, StringConstraints(pattern=r"^\d+\.\d+\.\d+$")]
    family: Name
    architecture: str
    description: str
    tasks: tuple[TaskKind, ...] = Field(min_length=1)
    inputs: tuple[Modality, ...] = ()
    outputs: tuple[Modality, ...] = ()
    latent_spaces: tuple[LatentSpace, ...] = ()
    score_estimator: Estimator | None = None
    deterministic: bool
    license: str
    provenance: str
    context_tokens: int = Field(default=0, ge=0)
    # Sizes of the network and defaults of its sampler: each family checks its own keys when it loads the bundle.
    network: dict[str, Any] = {}
    defaults: dict[str, Any] = {}
    # A hybrid's stages and edges, in place of files: see `sextant.hybrids.graph`.
    graph: dict[str, Any] = {}
    parity: Parity | None = None
    measurements: tuple[Measurement, ...] = ()
    files: dict[str, File] = {}

    @model_validator(mode="after")
    def _holds_files_or_a_graph(self) -> Self:
        if bool(self.graph) == bool(self.files):
            raise ValueError("a bundle holds files, or the graph of a hybrid in their place")
        if bool(self.graph) != (self.family == HYBRID):
            raise ValueError(f"a graph is what bundles of family {HYBRID} hold, and they alone")
        return self

    @field_validator("files")
    @classmethod
    def _files_stay_inside(cls, files: dict[str, File]) -> dict[str, File]:
        for path in files:
            parts = PurePosixPath(path).parts
            if path.startswith("/") or "\\" in path or ".." in parts or not parts or ":" in path:
                raise ValueError(f"{path!r} leaves the bundle")
        return files
