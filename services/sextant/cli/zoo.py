"""`sextant zoo`: how the shipped models are made, and how they are judged. Needs `pip install 'sextant[train]'`."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sextant.bundles.store import SHIPPED_DIRECTORY, pulled_directory
from sextant.contract.errors import SextantError
from sextant.zoo.comparison.trials import COMPARED, RECORD

if TYPE_CHECKING:
    from sextant.zoo.recipe import Recipe

app = typer.Typer(no_args_is_help=True, help="Train the shipped models again, publish and judge them.")

Name = Annotated[str, typer.Argument(help="A recipe; `sextant zoo list` names them.")]
Names = Annotated[list[str] | None, typer.Argument(help="Models; all of the zoo if none is named.")]
To = Annotated[Path | None, typer.Option("--to", help="Directory of bundles. Default: the user's own.")]


@app.command("list")
def list_recipes() -> None:
    """List the recipes."""
    with _training() as recipes:
        table = Table("recipe", "family", "steps", "batch", "core-hours", "what")
        for recipe in recipes().values():
            numbers = str(recipe.steps), str(recipe.batch), f"{recipe.core_hours:.1f}"
            table.add_row(*map(Text, (recipe.name, recipe.family, *numbers, recipe.summary)))
        Console().print(table)


@app.command()
def where() -> None:
    """Print the directory of data sets and checkpoints."""
    with _training():
        from sextant.zoo.data.location import zoo_directory

        print(zoo_directory())


@app.command()
def train(
    name: Name,
    to: To = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Stop after so many steps. Default: the recipe's.")] = None,
    threads: Annotated[int, typer.Option(min=1, help="Threads; shipped models were trained with 1.")] = 1,
) -> None:
    """Train a model and write its bundle. Interrupt it at will: the same command goes on where it was."""
    with _training() as recipes:
        recipe = _recipe(recipes(), name)
        training, seconds = recipe.train(Console(stderr=True), steps, threads)
        bundle = recipe.publish(training, name, to or pulled_directory())
        print(f"{bundle.path}: {bundle.size_bytes / 1e6:.1f} MB, trained in {seconds / 3600:.2f} core-hours")


@app.command()
def publish(name: Name, to: To = None) -> None:
    """Write the bundle of a model from its last checkpoint, as it is."""
    with _training() as recipes:
        recipe = _recipe(recipes(), name)
        if not recipe.checkpoint.exists():
            raise SextantError(f"{recipe.checkpoint} is missing: `sextant zoo train {name}` comes first")
        training, _ = recipe.train(Console(stderr=True), stop_at=0)
        bundle = recipe.publish(training, name, to or pulled_directory())
        print(f"{bundle.path}: {bundle.size_bytes / 1e6:.1f} MB")


@app.command()
def evaluate(
    names: Names = None,
    bundles: Annotated[Path, typer.Option(help="Directory of the bundles to judge.")] = SHIPPED_DIRECTORY,
    sheets: Annotated[Path, typer.Option(help="Where pictures of what was made are written.")] = Path("docs/samples"),
    speed: Annotated[bool, typer.Option("--speed", help="Only how fast they are; their other figures stay.")] = False,
) -> None:
    """Measure models as they are served; write the figures into their manifests, and sheets of what they make."""
    with _training():
        from sextant.zoo.evaluate.report import EVALUATIONS, evaluate_bundle, measure_speed, to_measure

        if unknown := [name for name in names or () if name not in EVALUATIONS]:
            raise SextantError(f"there is no measure for {unknown[0]!r}; there is for {', '.join(EVALUATIONS)}")
        for name in names or to_measure(bundles):
            for measurement in measure_speed(bundles / name) if speed else evaluate_bundle(bundles / name, sheets):
                print(f"{name:22} {measurement.name:32} {measurement.value:10.4g} {measurement.unit}")


@app.command()
def document(
    bundles: Annotated[Path, typer.Option(help="Directory of the bundles.")] = SHIPPED_DIRECTORY,
    sheets: Annotated[Path, typer.Option(help="Directory of their sheets.")] = Path("docs/samples"),
    out: Annotated[Path, typer.Option(help="The page.")] = Path("docs/zoo.md"),
) -> None:
    """Write the page of all measurements from the manifests."""
    with _training():
        from sextant.zoo.evaluate.document import write_document

        write_document(bundles, sheets, out)
        print(out)


@app.command()
def stability(
    names: Names = None,
    core_seconds: Annotated[float, typer.Option(min=1.0, help="Of one core, for each training.")] = 60.0,
    seeds: Annotated[int, typer.Option(min=2, help="How many trainings of each model.")] = 3,
    pictures: Annotated[int, typer.Option(min=200, help="How many are judged of each.")] = 1000,
    out: Annotated[Path, typer.Option(help="The record: read first, so an interrupted run goes on.")] = RECORD,
) -> None:
    """Train models of clothes shortly, by several seeds each: how much their quality depends on luck."""
    with _training() as recipes:
        from sextant.zoo.stability import stability as run

        clothes = [name for name in COMPARED if name in recipes()]
        chosen = [_recipe(recipes(), name) for name in names or clothes]
        console = Console(stderr=True)
        record = run(chosen, out, console, core_s=core_seconds, seeds=range(seeds), pictures=pictures)
        for name, found in record.models.items():
            spread = "" if found.spread is None else f", spread {found.spread:.3f}"
            print(f"{name:18} {found.steps} steps: quality {found.mean or 0:.3f}{spread}, {found.failures} failed")


@contextmanager
def _training() -> Iterator["Callable[[], dict[str, Recipe]]"]:
    """The recipes, if what training needs is installed; plain errors besides."""
    try:
        from sextant.zoo.data.location import DataMissing
        from sextant.zoo.recipes import all_recipes
    except ImportError as error:
        print(f"{error.name} is not installed: pip install 'sextant[train]'")
        raise typer.Exit(1) from error
    try:
        yield all_recipes
    except (DataMissing, SextantError) as error:
        print(error)
        raise typer.Exit(1) from error


def _recipe(recipes: "dict[str, Recipe]", name: str) -> "Recipe":
    if name not in recipes:
        raise SextantError(f"there is no recipe {name!r}; there are {', '.join(recipes)}")
    return recipes[name]
