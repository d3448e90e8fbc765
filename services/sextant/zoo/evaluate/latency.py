"""How long a model takes for one task with no company: what the guide goes by where time matters."""

from collections.abc import Iterable

import numpy as np

from sextant.bundles.manifest import Manifest, Measurement
from sextant.contract.media import Image, Modality
from sextant.contract.tasks import Conditions, DiffusionParameters, DiffusionSampler, Task, TaskKind
from sextant.zoo.evaluate.figures import Figures
from sextant.zoo.evaluate.served import Served

# The rules and numbers of steps at which diffusion models of pictures are measured.
WAYS = (
    (DiffusionSampler.DPM_SOLVER_PP_2M, 5),
    (DiffusionSampler.DPM_SOLVER_PP_2M, 10),
    (DiffusionSampler.DPM_SOLVER_PP_2M, 20),
    (DiffusionSampler.DDIM, 100),
)
_REPEATS = 7
_CAPTION = "a cheerful person with long black hair and sunglasses in light blue clothes against purple"


def add_latency(served: Served, figures: Figures) -> None:
    """Adds "latency"; of diffusion models of pictures also that of each of `WAYS`, of sound the real-time factor."""
    manifest = served.manifest
    task, what = _alone(manifest)
    seconds = served.seconds_alone(task, _REPEATS)
    threads = f"{served.threads} thread" if served.threads else "all cores"
    figures.add("latency", seconds, "s", f"one {what} alone, {threads}, without the gateway")
    if manifest.architecture == "unet":
        for sampler, steps in WAYS:
            given = DiffusionParameters(sampler=sampler, steps=steps)
            one = Task(TaskKind.GENERATE, seed=0, conditions=task.conditions, parameters=given)
            figures.add(f"{sampler}/{steps}/latency", served.seconds_alone(one, _REPEATS), "s", "one picture alone")
    if Modality.AUDIO in manifest.outputs:
        length_s = manifest.network["most_samples"] / manifest.network["sample_rate_hz"]
        figures.add("real_time_factor", length_s / seconds, "1", f"seconds of sound made in a second, one {what} alone")


def replaced(measurements: Iterable[Measurement], anew: Iterable[Measurement]) -> list[Measurement]:
    """The measurements, those of the same names by what was found anew."""
    found = {one.name: one for one in measurements}
    found.update({one.name: one for one in anew})
    return list(found.values())


def _alone(manifest: Manifest) -> tuple[Task, str]:
    network = manifest.network
    if TaskKind.GENERATE not in manifest.tasks:
        black = Image(np.zeros((network["height"], network["width"], network["channels"]), np.uint8))
        return Task(manifest.tasks[0], seed=0, source=black), "picture"
    match manifest.outputs[0]:
        case Modality.IMAGE if Modality.TEXT in manifest.inputs:
            return Task(TaskKind.GENERATE, seed=0, prompt=_CAPTION), "picture of words"
        case Modality.TEXT:
            return Task(TaskKind.GENERATE, seed=0, prompt="photography"), "word"
        case made:
            what = {Modality.IMAGE: "picture", Modality.AUDIO: "digit", Modality.MUSIC: "piece"}.get(made, "row")
            label = (network.get("classes") or ("",))[0]
            return Task(TaskKind.GENERATE, seed=0, conditions=Conditions(class_label=label)), what
