"""Short trainings by seed: what is there is not done again, budgets are never mixed. Trainings are stood in for."""

from types import SimpleNamespace

import pytest
from rich.console import Console

from sextant.contract.errors import SextantError
from sextant.zoo import stability as module
from sextant.zoo.comparison.trials import Trial, read
from sextant.zoo.recipes import all_recipes


@pytest.fixture
def trained(monkeypatch) -> list[tuple[str, int, int]]:
    """(model, seed, steps) of each training that was asked for."""
    asked: list[tuple[str, int, int]] = []

    def trial(recipe, pictures, console):
        asked.append((recipe.name, recipe.seed, recipe.steps))
        if len(asked) == 3:
            raise KeyboardInterrupt
        return Trial(seed=recipe.seed, core_s=1.0, quality=0.1 * recipe.seed)

    monkeypatch.setattr(module, "_trial", trial)
    monkeypatch.setattr(module, "_steps", lambda recipe, core_s: 42)
    monkeypatch.setattr(module, "fashion_reference", lambda: SimpleNamespace(features=[0] * 5000))
    return asked


def test_an_interrupted_run_goes_on_with_the_trainings_that_lack_and_keeps_budgets_apart(tmp_path, trained):
    recipes = [all_recipes()[name] for name in ("fashion-vae", "fashion-dcgan")]
    path, console = tmp_path / "record.json", Console(quiet=True)

    def run(core_s: float = 60.0):
        return module.stability(recipes, path, console, core_s=core_s, seeds=range(2), pictures=200)

    with pytest.raises(KeyboardInterrupt):
        run()
    assert [len(found.trials) for found in read(path).models.values()] == [2]
    record = run()
    assert trained == [
        ("fashion-vae", 0, 42),
        ("fashion-vae", 1, 42),
        ("fashion-dcgan", 0, 42),
        ("fashion-dcgan", 0, 42),
        ("fashion-dcgan", 1, 42),
    ]
    assert record == read(path)
    assert record.models["fashion-dcgan"].spread == pytest.approx(0.1)
    with pytest.raises(SextantError, match="another budget"):
        run(core_s=90.0)
