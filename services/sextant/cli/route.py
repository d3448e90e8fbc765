"""`sextant route`: what the guide would choose, and why."""

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text as Plain

from sextant.cli.terminal import AsJson, Model, Target, connect, print_json
from sextant.contract.media import Modality
from sextant.contract.options import Priority
from sextant.contract.tasks import TaskKind


def route(
    task: Annotated[TaskKind, typer.Option(help="What is to be done.")] = TaskKind.GENERATE,
    takes: Annotated[Modality | None, typer.Option("--input", help="What it is done to.")] = None,
    makes: Annotated[Modality | None, typer.Option("--output", help="What is wanted.")] = None,
    priority: Annotated[Priority | None, typer.Option(help="What matters most.")] = None,
    exact_likelihood: Annotated[bool, typer.Option("--exact-likelihood", help="It must be exact.")] = False,
    deterministic: Annotated[bool, typer.Option("--deterministic", help="Same seed, same bytes.")] = False,
    model: Model = "",
    target: Target = None,
    as_json: AsJson = False,
) -> None:
    """Show the decision that such a request would get, without running it. Exit code 1 where nothing fits."""
    with connect(target) as client:
        decided = client.decide(
            task,
            input=takes,
            output=makes,
            model=model,
            priority=priority,
            exact_likelihood=exact_likelihood,
            deterministic=deterministic,
        )
    if as_json:
        print_json(decided)
    else:
        table = Table("", "model", "family", "why")
        if decided.model:
            table.add_row("choice", decided.model, decided.family, Plain(decided.explanation))
        for other in decided.alternatives:
            table.add_row("next best", other.model, other.family, "")
        for other in decided.rejections:
            table.add_row("left out", other.model, other.family, Plain(other.note))
        for other in decided.counterfactuals:
            table.add_row("otherwise", other.model, other.family, Plain(other.note))
        Console().print(table)
        print(f"row: {decided.rule}" if decided.rule else decided.explanation)
    if not decided.model:
        raise typer.Exit(1)
