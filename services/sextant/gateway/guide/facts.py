"""What the router must know of a model, worked out once from its manifest and not anew for each request."""

from collections.abc import Iterable
from dataclasses import dataclass

from sextant.bundles.manifest import Manifest
from sextant.contract.events import Estimator
from sextant.contract.media import Modality
from sextant.contract.tasks import DiffusionSampler, TaskKind
from sextant.gateway.guide.decision import Tier

_MEASURED_WAY = 3  # "sampler/steps/what"


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """A model as the router sees it.

    `tiers` are the ways of running it that were measured, best first; `usual` is how it runs where nothing is said,
    and is one of them if there are any. `timed` is the task that its measured latency is of. `classes` are in lower
    case. `picture` is the height and width of its pictures, None where it makes no pictures of one size.
    """

    name: str
    family: str
    version: str
    architecture: str
    tasks: tuple[TaskKind, ...]
    inputs: frozenset[Modality]
    outputs: frozenset[Modality]
    exact: bool
    deterministic: bool
    spaces: frozenset[str]
    classes: frozenset[str]
    attributes: frozenset[str]
    picture: tuple[int, int] | None
    usual: Tier
    tiers: tuple[Tier, ...]
    timed: TaskKind


def facts_of(manifest: Manifest) -> ModelFacts:
    """The facts in a manifest."""
    network = manifest.network
    height, width = network.get("height"), network.get("width")
    usual, tiers = _tiers(manifest)
    return ModelFacts(
        name=manifest.name,
        family=manifest.family,
        version=manifest.version,
        architecture=manifest.architecture,
        tasks=manifest.tasks,
        inputs=frozenset(manifest.inputs),
        outputs=frozenset(manifest.outputs),
        exact=manifest.score_estimator is Estimator.EXACT,
        deterministic=manifest.deterministic,
        spaces=frozenset(space.id for space in manifest.latent_spaces),
        classes=frozenset(str(name).casefold() for name in network.get("classes", ())),
        attributes=_attributes(manifest),
        picture=None if height is None or width is None else (height, width),
        usual=usual,
        tiers=tiers,
        timed=manifest.tasks[0],
    )


def tier_as_asked(facts: ModelFacts, sampler: DiffusionSampler | None, steps: int | None) -> Tier:
    """The tier of a request that says how to run: as measured, or with a latency in proportion to its steps."""
    usual = facts.usual
    if (sampler is None and steps is None) or not facts.tiers:
        return usual if steps is None else Tier("", None, steps, usual.quality, usual.latency_s)
    chosen, wanted = sampler or usual.sampler, steps or usual.steps
    for tier in facts.tiers:
        if (tier.sampler, tier.steps) == (chosen, wanted):
            return tier
    near = min(facts.tiers, key=lambda tier: (tier.sampler != chosen, abs(tier.steps - wanted)))
    latency_s = None if near.latency_s is None else near.latency_s * wanted / near.steps
    return Tier(f"{chosen}/{wanted}", chosen, wanted, 0.0, latency_s)


def _tiers(manifest: Manifest) -> tuple[Tier, tuple[Tier, ...]]:
    """The usual tier, and all of them. The figures of the usual one are the manifest's own, of more samples."""
    measured = {m.name: m.value for m in manifest.measurements}
    quality, latency_s = measured.get("quality", 0.0), measured.get("latency")
    ways = [way for way in _ways(measured) if f"{way[0]}/{way[1]}/quality" in measured]
    if not ways:
        return Tier("", None, 0, quality, latency_s), ()
    usual_way = manifest.defaults.get("sampler"), manifest.defaults.get("steps")
    tiers = []
    for sampler, steps in ways:
        name = f"{sampler}/{steps}"
        own_quality, own_latency_s = measured[f"{name}/quality"], measured.get(f"{name}/latency")
        if (sampler, steps) == usual_way:
            own_quality = quality or own_quality
            own_latency_s = own_latency_s if latency_s is None else latency_s
        tiers.append(Tier(name, DiffusionSampler(sampler), steps, own_quality, own_latency_s))
    tiers.sort(key=lambda tier: (-tier.quality, tier.steps))
    usual = next((tier for tier in tiers if (tier.sampler, tier.steps) == usual_way), None)
    if usual is None:
        rule, count = usual_way
        if rule in list(DiffusionSampler) and isinstance(count, int):
            usual = Tier(f"{rule}/{count}", DiffusionSampler(rule), count, quality, latency_s)
        else:
            usual = Tier("", None, 0, quality, latency_s)
        tiers.append(usual)
    return usual, tuple(tiers)


def _ways(measured: Iterable[str]) -> list[tuple[str, int]]:
    """(sampler, steps) of the figures that are named so, each once."""
    found: dict[tuple[str, int], None] = {}
    for name in measured:
        parts = name.split("/")
        if len(parts) == _MEASURED_WAY and parts[0] in list(DiffusionSampler) and parts[1].isdecimal():
            found[parts[0], int(parts[1])] = None
    return list(found)


def _attributes(manifest: Manifest) -> frozenset[str]:
    """The names that `conditions.attributes` may hold: what can be edited, and what some kinds of model are told."""
    directed = {"direction"} if manifest.network.get("directions") else set()
    voiced = {"voice"} if manifest.network.get("voices") else set()
    composed = {"keep", "keep_beats", "tempo_bpm"} if Modality.MUSIC in manifest.outputs else set()
    return frozenset(map(str, manifest.network.get("attributes", ()))) | directed | voiced | composed
