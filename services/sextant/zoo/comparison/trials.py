"""The record of short trainings by seed: what `sextant zoo stability` writes, and what comparisons read.

It is data with its provenance, kept in the repository. Nothing here imports torch.
"""

from pathlib import Path
from statistics import mean

from pydantic import BaseModel, ConfigDict, Field

# The models that were all trained on one data set, Fashion-MNIST, whatever their family.
COMPARED = (
    "fashion-dcgan",
    "fashion-biggan",
    "fashion-vae",
    "fashion-cvae",
    "fashion-diffusion",
    "fashion-pixelcnn",
    "fashion-glow",
)
RECORD = Path(__file__).parent / "stability.json"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Trial(_Strict):
    """One training from one seed. `quality` is normalised; None where the training failed, and `failure` says how."""

    seed: int
    core_s: float = Field(ge=0)
    quality: float | None = None
    frechet_distance: float | None = None
    failure: str = ""


class Trials(_Strict):
    """The trainings of one model: all of as many steps, in batches of as many pictures."""

    steps: int = Field(ge=1)
    batch: int = Field(ge=1)
    trials: tuple[Trial, ...] = ()

    @property
    def qualities(self) -> tuple[float, ...]:
        """Of the trainings that did not fail."""
        return tuple(trial.quality for trial in self.trials if trial.quality is not None)

    @property
    def failures(self) -> int:
        """How many trainings failed."""
        return len(self.trials) - len(self.qualities)

    @property
    def mean(self) -> float | None:
        """Mean quality of the trainings that did not fail."""
        return mean(self.qualities) if self.qualities else None

    @property
    def spread(self) -> float | None:
        """The best quality minus the worst: 0 where the seed decides nothing. None with fewer than two to compare."""
        return max(self.qualities) - min(self.qualities) if len(self.qualities) > 1 else None


class Record(_Strict):
    """All of it. `core_s` is the time that each training was meant to take on one core."""

    core_s: float = Field(gt=0)
    pictures: int = Field(ge=2)
    seeds: tuple[int, ...] = Field(min_length=1)
    machine: str
    torch: str
    judged: str
    models: dict[str, Trials] = {}


def read(path: Path = RECORD) -> Record:
    """The record at `path`."""
    return Record.model_validate_json(path.read_text(encoding="utf-8"))


def write(record: Record, path: Path) -> None:
    """Put the record at `path`, whole or not at all."""
    partial = path.with_suffix(".part")
    partial.write_text(record.model_dump_json(indent=1) + "\n", encoding="utf-8")
    partial.rename(path)
