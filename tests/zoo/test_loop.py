"""Training runs can be interrupted and repeated."""

from pathlib import Path

import pytest
import torch
from rich.console import Console
from torch import Tensor

from sextant.families.flow.networks import RealNvp
from sextant.families.flow.train import FlowTraining
from sextant.zoo.loop import run

_ROWS = torch.randn(64, 2, generator=torch.Generator().manual_seed(0))


def _train(checkpoint: Path, stop_at: int | None = None, seed: int = 0) -> list[Tensor]:
    torch.manual_seed(5)
    training = FlowTraining(RealNvp(2, 2, 8), rate=1e-2, quantised=True)
    quiet = Console(quiet=True)
    run(training, [_ROWS], steps=20, batch=16, seed=seed, checkpoint=checkpoint, console=quiet, stop_at=stop_at)
    return [parameter.detach().clone() for parameter in training.flow.parameters()]


def _same(one: list[Tensor], other: list[Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_a_run_repeats_itself_and_another_seed_gives_another(tmp_path: Path) -> None:
    first = _train(tmp_path / "a.pt")
    assert _same(first, _train(tmp_path / "b.pt"))
    assert not _same(first, _train(tmp_path / "c.pt", seed=1))


@pytest.mark.parametrize("stop_at", [1, 4, 13])
def test_a_run_that_was_interrupted_ends_where_one_that_was_not_does(tmp_path: Path, stop_at: int) -> None:
    whole = _train(tmp_path / "whole.pt")
    assert not _same(whole, _train(tmp_path / "halves.pt", stop_at=stop_at))
    assert _same(whole, _train(tmp_path / "halves.pt"))


def test_a_finished_run_is_not_trained_again(tmp_path: Path) -> None:
    assert _same(_train(tmp_path / "a.pt"), _train(tmp_path / "a.pt"))
