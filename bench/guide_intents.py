"""How well plain words are understood: phrases that were written apart from the guide's examples.

The encoder is asked as a replica asks it. A phrase that no row is meant by and that is answered all the same counts as
answered wrongly.
"""

from pathlib import Path
from typing import Any

import numpy as np

from bench.platform import ROOT
from sextant.bundles.progress import no_progress
from sextant.bundles.store import cache_directory
from sextant.contract.events import Result
from sextant.contract.media import Latent, Text
from sextant.contract.tasks import Task, TaskKind
from sextant.families.family import FAMILIES, family_at
from sextant.families.importing import pull
from sextant.gateway.guide.intent import examples, meaning, phrases
from sextant.gateway.guide.schema import default_guide_path, load_guide
from sextant.runtime.rng import RequestRng
from sextant.runtime.session import SessionConfig

PHRASES = ROOT / "tests" / "data" / "intents"
_BINS = (0.6, 0.8, 0.95, 1.0)


def measure() -> dict[str, Any]:
    """By set: answered, right, refused; and how right answers of some confidence are."""
    guide = load_guide(default_guide_path())
    sampler = family_at(FAMILIES["transformer"]).load(
        pull(guide.intent.encoder, cache_directory(), no_progress), SessionConfig()
    )
    known = examples(guide, _embedded(sampler, [phrase for phrase, _ in phrases(guide)]))
    found: dict[str, Any] = {}
    for name in ("dev", "held_out"):
        said = read(PHRASES / f"{name}.tsv")
        told = [meaning(known, row, guide.intent) for row in _embedded(sampler, [phrase for _, phrase in said])]
        answered = [(m.row.name == meant, m.confidence) for m, (meant, _) in zip(told, said, strict=True) if m.row]
        found[name] = {
            "phrases": sum(meant != "-" for meant, _ in said),
            "elsewhere": sum(meant == "-" for meant, _ in said),
            "answered": len(answered),
            "right": sum(right for right, _ in answered),
            "refused": sum(m.row is None and meant != "-" for m, (meant, _) in zip(told, said, strict=True)),
            "elsewhere_refused": sum(m.row is None and meant == "-" for m, (meant, _) in zip(told, said, strict=True)),
            "by_confidence": [
                _bin([right for right, sure in answered if low <= sure < high], low, high)
                for low, high in zip(_BINS[:-1], (*_BINS[1:-1], 1.01), strict=True)
            ],
        }
    return found


def read(path: Path) -> list[tuple[str, str]]:
    """(row, phrase) of every line that is no comment."""
    lines = (line for line in path.read_text().splitlines() if line and not line.startswith("#"))
    return [(row, phrase) for row, phrase in (line.split("\t") for line in lines)]


def table(found: dict[str, Any]) -> str:
    """The figures as Markdown."""
    lines = ["| phrases | meant for a row | answered | of these right | refused | elsewhere, refused |"]
    lines.append("|---|---|---|---|---|---|")
    for name, row in found.items():
        share = f"{row['right']} ({row['right'] / row['answered']:.1%})"
        refused = f"{row['refused']} | {row['elsewhere_refused']} of {row['elsewhere']}"
        lines.append(f"| {name} | {row['phrases']} | {row['answered']} | {share} | {refused} |")
    bins = found["held_out"]["by_confidence"]
    told = ", ".join(f"{row['right']} of {row['answered']} from {row['from']:.0%} on" for row in bins)
    return "\n".join([*lines, "", f"Right by confidence, held out: {told}."])


def _bin(rights: list[bool], low: float, high: float) -> dict[str, float]:
    return {"from": low, "to": min(high, 1.0), "answered": len(rights), "right": sum(rights)}


def _embedded(sampler: Any, texts: list[str]) -> np.ndarray:
    found = []
    for text in texts:
        state = sampler.start(Task(TaskKind.ENCODE, 0, source=Text(text)), RequestRng(0, 0))
        while not state.done:
            sampler.step([state])
        result: Result = sampler.result(state)
        sampler.release(state)
        assert isinstance(result.content, Latent)
        found.append(result.content.mean)
    return np.stack(found).astype(np.float32)
