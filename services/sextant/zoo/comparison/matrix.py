"""The comparison of families as a matrix: models by properties, every figure from a manifest or from the trials.

Stars render quantiles among the models compared and nothing else: `stars` of 5 is the share of them, in fifths rounded
up, that this one is at least as good as. What a model cannot do has none.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path

from sextant.bundles.manifest import Manifest
from sextant.bundles.store import open_bundle
from sextant.zoo.comparison.trials import COMPARED, Record, read

_STARS = 5


@dataclass(frozen=True, slots=True)
class Property:
    """One column: what it is called, what it is measured by, in which unit, and whether more of it is better."""

    name: str
    measure: str
    unit: str
    more_is_better: bool
    about: str


PROPERTIES = (
    Property(
        "quality", "quality", "1", True, "1 for real pictures, 0 for Gaussians fitted to every pixel of each class"
    ),
    Property("recall", "recall", "1", True, "diversity: share of real pictures inside the manifold of those made"),
    Property(
        "coverage", "coverage", "1", True, "diversity: share of real pictures with one that was made close to them"
    ),
    Property("speed", "latency", "s", False, "time of one picture alone, all cores, without the gateway"),
    Property("controllability", "conditional_accuracy", "1", True, "share of pictures taken for the class asked for"),
    Property(
        "stability",
        "spread",
        "1",
        False,
        "best minus worst quality over the seeds of short trainings, all of one budget",
    ),
)


@dataclass(frozen=True, slots=True)
class Compared:
    """A model of the matrix: by the name of each property its value, None where it has none, and its stars, 0 to 5."""

    model: str
    family: str
    architecture: str
    values: Mapping[str, float | None]
    stars: Mapping[str, int]
    qualities_by_seed: tuple[float, ...]
    failed: int


@dataclass(frozen=True, slots=True)
class Matrix:
    """All of it, with how the trials were made."""

    models: tuple[Compared, ...]
    trials: Record


def compare(bundles: Path, record: Path, names: Sequence[str] = COMPARED) -> Matrix:
    """The matrix of the models `names` among the bundles of a directory, with the trials in the file `record`."""
    trials = read(record)
    manifests = [open_bundle(bundles / name).manifest for name in names if (bundles / name).is_dir()]
    values = {manifest.name: _values(manifest, trials) for manifest in manifests}
    compared = []
    for manifest in manifests:
        tried = trials.models.get(manifest.name)
        compared.append(
            Compared(
                model=manifest.name,
                family=manifest.family,
                architecture=manifest.architecture,
                values=values[manifest.name],
                stars={p.name: _stars(manifest.name, p, values) for p in PROPERTIES},
                qualities_by_seed=tried.qualities if tried else (),
                failed=tried.failures if tried else 0,
            )
        )
    return Matrix(tuple(compared), trials)


def _values(manifest: Manifest, trials: Record) -> dict[str, float | None]:
    measured = {m.name: m.value for m in manifest.measurements}
    tried = trials.models.get(manifest.name)
    spread = tried.spread if tried else None
    return {p.name: spread if p.measure == "spread" else measured.get(p.measure) for p in PROPERTIES}


def _stars(model: str, column: Property, values: Mapping[str, Mapping[str, float | None]]) -> int:
    known = {name: row[column.name] for name, row in values.items()}
    all_values = [value for value in known.values() if value is not None]
    own = known[model]
    if own is None:
        return 0
    as_good = sum(own >= other if column.more_is_better else own <= other for other in all_values)
    return ceil(_STARS * as_good / len(all_values))
