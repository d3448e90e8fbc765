"""A family that computes next to nothing, for tests and for measuring what the platform itself costs.

Generate takes `max_tokens` steps (prompt "sleep=0.01" makes each last that long, "payload=8000" makes each
emit that many characters, "version" the bundle's version); each step draws from the request's randomness. Encode
takes a single step. So one sampler mixes many-step and single-step work, and knows nothing of text.
"""

import time
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sextant.bundles.manifest import LatentSpace, Parity
from sextant.bundles.store import Bundle
from sextant.bundles.writer import write_bundle
from sextant.contract.errors import InvalidRequest
from sextant.contract.events import Result, TextDelta, Usage
from sextant.contract.media import Audio, Latent, Media, Modality, Text
from sextant.contract.tasks import Task, TaskKind, TextParameters
from sextant.runtime.rng import RequestRng
from sextant.runtime.sampler import Cost, Limits
from sextant.runtime.session import SessionConfig


@dataclass(slots=True, eq=False)
class ProbeState:
    task: Task
    rng: RequestRng
    steps_total: int
    settings: dict[str, float]
    steps_done: int = 0
    done: bool = False
    latest: str = ""
    whole: str = ""


class ProbeSampler:
    """Counts what the scheduler does to it, so that tests can ask."""

    def __init__(self, limits: Limits = Limits(rows_per_step=16, slots=16), version: str = "") -> None:  # noqa: B008
        self.limits = limits
        self.version = version
        self.held: set[ProbeState] = set()
        self.most_held = 0
        self.batches: list[list[ProbeState]] = []

    def cost(self, task: Task) -> Cost:
        return Cost(rows=2 if task.conditions.class_label == "guided" else 1)

    def start(self, task: Task, rng: RequestRng) -> ProbeState:
        if task.prompt == "refuse":
            raise InvalidRequest("prompt", "this prompt is refused by the sampler")
        parameters = task.parameters if isinstance(task.parameters, TextParameters) else TextParameters()
        steps = 1 if task.kind is TaskKind.ENCODE else parameters.max_tokens or 8
        words = (task.prompt or "").split()
        settings = {key: float(value) for key, _, value in (word.partition("=") for word in words) if value}
        state = ProbeState(task, rng, steps, settings)
        self.held.add(state)
        self.most_held = max(self.most_held, len(self.held))
        return state

    def group(self, state: ProbeState) -> Hashable:
        return state.steps_total == 1

    def step(self, states: Sequence[ProbeState]) -> None:
        assert len({self.group(state) for state in states}) == 1
        assert sum(self.cost(state.task).rows for state in states) <= self.limits.rows_per_step
        assert all(state in self.held and not state.done for state in states)
        self.batches.append(list(states))
        if any(state.task.prompt == "break" for state in states):
            raise RuntimeError("the network broke")
        time.sleep(max(state.settings.get("sleep", 0.0) for state in states))
        for state in states:
            draw = float(state.rng.uniform("probe", state.steps_done))
            state.latest = f"{draw:.6f} " + "x" * int(state.settings.get("payload", 0))
            if state.task.prompt and "version" in state.task.prompt:
                state.latest = f"{self.version} "
            state.whole += state.latest
            state.steps_done += 1
            state.done = state.steps_done == state.steps_total

    def delta(self, state: ProbeState) -> TextDelta | Audio | None:
        return None if state.task.kind is TaskKind.ENCODE else TextDelta(state.latest)

    def preview(self, state: ProbeState) -> Media | None:
        return None

    def partial(self, state: ProbeState) -> Result | None:
        return Result(state.task.index, Text(state.whole)) if state.steps_done else None

    def result(self, state: ProbeState) -> Result:
        if state.task.kind is TaskKind.ENCODE:
            mean = state.rng.normal("latent", shape=(4,))
            return Result(state.task.index, Latent("probe/point", mean))
        return Result(state.task.index, Text(state.whole), usage=Usage(generated_tokens=state.steps_total))

    def release(self, state: ProbeState) -> None:
        self.held.remove(state)


class ProbeFamily:
    """The family object that replicas load."""

    def load(self, bundle: Bundle, config: SessionConfig) -> ProbeSampler:
        return ProbeSampler(version=bundle.manifest.version)

    def warm_up(self, bundle: Bundle) -> Sequence[Task]:
        return [Task(TaskKind.GENERATE, seed=0, prompt="warm", parameters=TextParameters(max_tokens=2))]


FAMILY = ProbeFamily()


def write_probe_bundle(directory: Path, name: str = "probe", version: str = "1.0.0") -> Bundle:
    """A bundle for this family: it has a manifest and passes the gate, and holds no network."""
    return write_bundle(
        directory,
        {"probe.json": b"{}"},
        name=name,
        version=version,
        family="probe",
        architecture="probe",
        description="Computes next to nothing.",
        tasks=[TaskKind.GENERATE, TaskKind.ENCODE],
        inputs=[Modality.TEXT],
        outputs=[Modality.TEXT, Modality.LATENT],
        latent_spaces=[LatentSpace(id="probe/point", shape=(4,))],
        deterministic=True,
        license="Apache-2.0",
        provenance="this repository",
        parity=Parity(max_abs_error=0.0, max_rel_error=0.0, tolerance=1e-4, reference="itself"),
    )
