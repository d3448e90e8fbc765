"""How long the router takes among 200 models of which everything was seen: to choose, and with the whole explanation.

Requests are drawn at random over tasks, priorities, deadlines and classes. One in ten asks for a class that nobody
asked for before, so that what the router keeps is of no use to it.
"""

import gc
import random
import time
from typing import Any

import numpy as np

from sextant.bundles.store import SHIPPED_DIRECTORY, open_bundle
from sextant.contract.media import Modality
from sextant.contract.options import Priority
from sextant.contract.tasks import TaskKind
from sextant.gateway.explain import decision_message
from sextant.gateway.guide.decision import Wanted
from sextant.gateway.guide.facts import facts_of
from sextant.gateway.guide.live import Live, Observation, observed
from sextant.gateway.guide.router import Router
from sextant.gateway.guide.schema import default_guide_path, load_guide
from sextant.replicas.served import ServedModel

MODELS = 200
DECISIONS = 20_000
_KEPT_WARM = 2_000  # decisions before the clock runs


def measure() -> dict[str, Any]:
    """Microseconds of decisions: median, 99th percentile and the longest."""
    models = _models()
    router, live = Router(load_guide(default_guide_path()), models), _seen(models)
    rng = random.Random(0)
    wanted = [_wanted(rng, number) for number in range(DECISIONS + _KEPT_WARM)]
    found: dict[str, Any] = {"models": len(models), "decisions": DECISIONS}
    for name in ("choice", "with the explanation as a message"):
        taken = []
        gc.collect()
        for one in wanted:
            began = time.perf_counter_ns()
            decision = router.decide(one, live)
            if name != "choice":
                decision_message(decision)
            taken.append((time.perf_counter_ns() - began) / 1000)
        p50, p99 = np.percentile(taken[_KEPT_WARM:], (50, 99))
        found[name] = {"p50_us": float(p50), "p99_us": float(p99), "max_us": max(taken[_KEPT_WARM:])}
    return found


def table(found: dict[str, Any]) -> str:
    """The figures as Markdown."""
    lines = [
        f"{found['decisions']} decisions among {found['models']} models.",
        "",
        "| | median, µs | 99th percentile | longest |",
        "|---|---|---|---|",
    ]
    for name in ("choice", "with the explanation as a message"):
        row = found[name]
        lines.append(f"| {name} | {row['p50_us']:.1f} | {row['p99_us']:.1f} | {row['max_us']:.0f} |")
    return "\n".join(lines)


def _models() -> dict[str, ServedModel]:
    """The shipped models, again and again under other names."""
    shipped = [open_bundle(path).manifest for path in sorted(SHIPPED_DIRECTORY.iterdir()) if path.is_dir()]
    found = {}
    for number in range(MODELS):
        manifest = shipped[number % len(shipped)]
        manifest = manifest.model_copy(update={"name": f"{manifest.name}-{number}"})
        found[manifest.name] = ServedModel(manifest, "0" * 64, 1, ("CPUExecutionProvider",), "1")
    return found


def _seen(models: dict[str, ServedModel]) -> Live:
    """A deployment that has answered with every model in every one of its tiers."""
    live = Live()
    for served in models.values():
        facts = facts_of(served.manifest)
        for tier in facts.tiers or (facts.usual,):
            took = 1.5 * (tier.latency_s or 0.1)
            seen = Observation(facts.name, facts.timed, tier, tier.steps, 1, 0, 0.002, took, True)
            live = observed(live, seen, 0.0)
    return live


def _wanted(rng: random.Random, number: int) -> Wanted:
    task = rng.choice(list(TaskKind))
    output = rng.choice([Modality.IMAGE, Modality.IMAGE, Modality.TEXT, Modality.AUDIO, Modality.MUSIC, None])
    label = f"nobody's {number}" if rng.random() < 0.1 else rng.choice(["", "", "sneaker", "bag"])
    return Wanted(
        task=task,
        input=None if task is TaskKind.GENERATE else rng.choice([Modality.IMAGE, Modality.TEXT]),
        output=output if task is TaskKind.GENERATE else None,
        priority=rng.choice([None, None, *Priority]),
        exact_likelihood=rng.random() < 0.1,
        class_label=label,
        deadline_s=rng.choice([None, 10 ** rng.uniform(-2, 1)]),
        lots=(rng.random(), rng.random()),
    )
