"""How much the seed decides: several short trainings of each model of pictures of clothes, judged alike.

Every model gets the same time on one core, turned into a number of steps that is measured once, so that its trainings
differ by their seeds alone. The learning rate runs through its whole course in them. The last weights are judged and
not their running average, whose memory is longer than so short a training.
"""

import platform
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from rich.console import Console

from sextant.contract.errors import SextantError
from sextant.families.training import Training
from sextant.zoo.comparison.trials import Record, Trial, Trials, read, write
from sextant.zoo.evaluate.features import features
from sextant.zoo.evaluate.frechet import frechet_distance, normalised_quality
from sextant.zoo.evaluate.references import SEED, fashion_reference
from sextant.zoo.evaluate.served import Served
from sextant.zoo.loop import run
from sextant.zoo.recipe import Recipe

_TIMED_STEPS, _WARM_STEPS = 8, 3


def stability(
    recipes: Sequence[Recipe],
    path: Path,
    console: Console,
    *,
    core_s: float,
    seeds: Sequence[int],
    pictures: int,
) -> Record:
    """Run the trainings that the record at `path` lacks, and keep each there as soon as it is judged.

    Raises `SextantError` where the record was made with another budget, number of pictures or set of seeds.
    """
    record = _begun(path, core_s, tuple(seeds), pictures)
    torch.set_num_threads(1)
    for recipe in recipes:
        found = record.models.get(recipe.name) or Trials(steps=_steps(recipe, core_s), batch=recipe.batch)
        for seed in seeds:
            if any(trial.seed == seed for trial in found.trials):
                continue
            trial = _trial(replace(recipe, seed=seed, steps=found.steps), pictures, console)
            console.print(f"{recipe.name}, seed {seed}: {trial.failure or f'quality {trial.quality:.3f}'}")
            found = found.model_copy(update={"trials": (*found.trials, trial)})
            record = record.model_copy(update={"models": {**record.models, recipe.name: found}})
            write(record, path)
    return record


def _begun(path: Path, core_s: float, seeds: tuple[int, ...], pictures: int) -> Record:
    fresh = Record(
        core_s=core_s,
        pictures=pictures,
        seeds=seeds,
        machine=f"one core of {_processor()}, shared with other work, counted by processor time",
        torch=torch.__version__,
        judged=f"{pictures} pictures beside {len(fashion_reference().features)} real ones, as `zoo evaluate` does",
    )
    if not path.exists():
        return fresh
    record = read(path)
    if (record.core_s, record.seeds, record.pictures) != (core_s, seeds, pictures):
        raise SextantError(f"{path} holds trainings of another budget: write to another file, or remove it")
    return record


def _processor() -> str:
    """The processor as Linux names it, or its architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _steps(recipe: Recipe, core_s: float) -> int:
    """How many steps take `core_s`, by a few that are thrown away."""
    training, data = recipe.untrained(), recipe.data()
    rows = torch.arange(recipe.batch)
    began = 0.0
    for step in range(_WARM_STEPS + _TIMED_STEPS):
        if step == _WARM_STEPS:
            began = time.process_time()
        training.step(tuple(tensor[rows] for tensor in data), 0.5)
    return max(1, round(core_s * _TIMED_STEPS / (time.process_time() - began)))


def _trial(recipe: Recipe, pictures: int, console: Console) -> Trial:
    began = time.process_time()
    with TemporaryDirectory() as scratch:
        training = recipe.untrained()
        run(
            training,
            recipe.data(),
            steps=recipe.steps,
            batch=recipe.batch,
            seed=recipe.seed,
            checkpoint=Path(scratch) / "checkpoint.pt",
            console=console,
        )
        core_s = time.process_time() - began
        if not _is_finite(training):
            return Trial(seed=recipe.seed, core_s=core_s, failure="weights that are not finite")
        _forget_averages(training)
        bundle = recipe.publish(training, recipe.name, Path(scratch) / "bundles")
        served = Served(bundle)
        made = served.pictures(pictures, SEED, list(bundle.manifest.network.get("classes", ())) or None)
    reference = fashion_reference()
    fd = frechet_distance(features(reference.judge, made), reference.features)
    quality = normalised_quality(fd, reference.fd_real, reference.fd_gauss_diagonal)
    return Trial(seed=recipe.seed, core_s=core_s, quality=quality, frechet_distance=fd)


def _is_finite(training: Training) -> bool:
    tensors = (tensor for module in training.modules.values() for tensor in module.state_dict().values())
    return all(bool(torch.isfinite(tensor).all()) for tensor in tensors)


def _forget_averages(training: Training) -> None:
    """Put the last weights where `publish` looks for their average."""
    modules = training.modules
    if "average" in modules:
        last = modules["network"] if "network" in modules else modules["generator"]
        modules["average"].load_state_dict(last.state_dict())
