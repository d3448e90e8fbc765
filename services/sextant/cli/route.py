"""`sextant route`: what the guide would choose, and why."""

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text as Plain

from sextant.cli.terminal import AsJson, Model, Target, connect, print_json
from sextant.client import Decided
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
    latent_space: Annotated[str, typer.Option(help="It must write to or read from this latent space.")] = "",
    deadline: Annotated[float, typer.Option(min=0.0, help="Seconds for the whole answer; 0 for no limit.")] = 0.0,
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
            latent_space=latent_space,
            deadline_s=deadline,
        )
    if as_json:
        print_json(decided)
    else:
        _show(decided)
    if not decided.model:
        raise typer.Exit(1)


def _show(decided: Decided) -> None:
    table = Table("", "model", "family", "expected", "quality", "why")
    if decided.model:
        expected, quality = _measured(decided.predicted_latency_s, decided.quality)
        table.add_row("choice", decided.model, decided.family, expected, quality, Plain(decided.explanation))
    for other in decided.alternatives:
        table.add_row("next best", other.model, other.family, *_measured(other.predicted_latency_s, other.quality), "")
    for other in decided.rejections:
        table.add_row("left out", other.model, other.family, "", "", Plain(other.note))
    for other in decided.counterfactuals:
        table.add_row("otherwise", other.model, other.family, "", "", Plain(other.note))
    if table.row_count:
        Console().print(table)
    if not decided.model:
        print(decided.explanation)
    if decided.rule:
        print(f"row of the guide: {decided.rule}: {decided.reason}")


def _measured(latency_s: float, quality: float) -> tuple[str, str]:
    """What is expected, in words; "" where nothing was measured."""
    return f"{latency_s:.2f} s" if latency_s else "", f"{quality:.2f}" if quality else ""
