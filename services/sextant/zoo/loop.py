"""Running a training: batches, progress, checkpoints. Interrupt it and it goes on where it was."""

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from torch import Tensor

from sextant.families.training import Training

_CHECKPOINT_EVERY_S = 60.0
_REPORT_EVERY_S = 15.0
_SEED_STRIDE = 1_000_003  # steps of one seed do not meet those of the next


def run(
    training: Training,
    data: Sequence[Tensor],
    *,
    steps: int,
    batch: int,
    seed: int,
    checkpoint: Path,
    console: Console,
    stop_at: int | None = None,
) -> float:
    """Train to the end, or to the step `stop_at`, and answer with the seconds it took in all.

    `data` are tensors of one length, read row by row in batches.

    `checkpoint` is written every minute and at the end, and read first if it is there.
    """
    done, spent_s = _restore(training, checkpoint)
    last = steps if stop_at is None else min(steps, stop_at)
    began = saved = reported = time.monotonic()
    columns = TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        shown = bar.add_task("training", total=steps, completed=done)
        for step, rows in _batches(len(data[0]), batch, seed, done, last):
            torch.manual_seed(seed * _SEED_STRIDE + step)
            losses = training.step(tuple(tensor[rows] for tensor in data), step / steps)
            now = time.monotonic()
            if now - reported > _REPORT_EVERY_S or step + 1 == last:
                said = "  ".join(f"{name} {float(loss):.4g}" for name, loss in losses.items())
                bar.update(shown, completed=step + 1, description=said)
                if not console.is_terminal:
                    console.print(f"step {step + 1} of {steps}, {spent_s + now - began:.0f} s: {said}")
                reported = now
            if now - saved > _CHECKPOINT_EVERY_S:
                _save(training, checkpoint, step + 1, spent_s + now - began)
                saved = now
    spent_s += time.monotonic() - began
    _save(training, checkpoint, max(done, last), spent_s)
    return spent_s


def _batches(count: int, batch: int, seed: int, done: int, steps: int) -> Iterator[tuple[int, Tensor]]:
    """(step, row numbers): each epoch in an order of its own, known from the seed and the epoch alone."""
    per_epoch = count // batch
    order, order_of = torch.empty(0), -1
    for step in range(done, steps):
        epoch, place = divmod(step, per_epoch)
        if epoch != order_of:
            generator = torch.Generator().manual_seed(seed * _SEED_STRIDE + epoch)
            order, order_of = torch.randperm(count, generator=generator), epoch
        yield step, order[place * batch : (place + 1) * batch]


def _save(training: Training, path: Path, done: int, spent_s: float) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".part")
    torch.save(
        {
            "done": done,
            "spent_s": spent_s,
            "modules": _states(training.modules),
            "optimisers": _states(training.optimisers),
        },
        partial,
    )
    partial.rename(path)


def _states(parts: Mapping[str, torch.nn.Module]) -> dict[str, object]:
    return {name: part.state_dict() for name, part in parts.items()}


def _restore(training: Training, path: Path) -> tuple[int, float]:
    """Steps made and seconds spent so far."""
    if not path.exists():
        return 0, 0.0
    saved = torch.load(path, weights_only=True)
    for name, module in training.modules.items():
        module.load_state_dict(saved["modules"][name])
    for name, optimiser in training.optimisers.items():
        optimiser.load_state_dict(saved["optimisers"][name])
    return int(saved["done"]), float(saved["spent_s"])
