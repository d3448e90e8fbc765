"""`sextant route`: what the guide would choose, and why."""

import re
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text as Plain

from sextant.cli.terminal import AsJson, Model, Target, connect, print_json
from sextant.client import Decided
from sextant.client.lookups import DecideOptions
from sextant.contract.media import Modality
from sextant.contract.options import Priority
from sextant.contract.tasks import TaskKind

_MADE = (Modality.IMAGE, Modality.AUDIO, Modality.TEXT, Modality.MUSIC, Modality.TABLE)
_DURATION = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*(ms|s|m|min)?")
_SECONDS = {"ms": 1e-3, "s": 1.0, "m": 60.0, "min": 60.0, None: 1.0}


def route(
    words: Annotated[
        str, typer.Argument(help="What is wanted, in plain words: 'a quick picture of a boot'. Instead of options.")
    ] = "",
    task: Annotated[
        str, typer.Option(help=f"What is to be done: {', '.join(TaskKind)}; or made: {', '.join(_MADE)}.")
    ] = "",
    takes: Annotated[Modality | None, typer.Option("--input", help="What it is done to.")] = None,
    makes: Annotated[Modality | None, typer.Option("--output", help="What is wanted.")] = None,
    priority: Annotated[Priority | None, typer.Option(help="What matters most.")] = None,
    exact_likelihood: Annotated[bool, typer.Option("--exact-likelihood", help="It must be exact.")] = False,
    deterministic: Annotated[bool, typer.Option("--deterministic", help="Same seed, same bytes.")] = False,
    latent_space: Annotated[str, typer.Option(help="It must write to or read from this latent space.")] = "",
    label: Annotated[str, typer.Option("--class", help="A class that it must know.")] = "",
    count: Annotated[int, typer.Option(min=1, help="How many.")] = 1,
    deadline: Annotated[str, typer.Option(help="Time for the whole answer: 80ms, 2s. Default: no limit.")] = "",
    model: Model = "",
    target: Target = None,
    as_json: AsJson = False,
) -> None:
    """Show the decision that such a request would get, without running it. Exit code 1 where nothing fits."""
    options: DecideOptions = {
        "model": model,
        "priority": priority,
        "exact_likelihood": exact_likelihood,
        "deterministic": deterministic,
        "latent_space": latent_space,
        "class_label": label,
        "count": count,
        "deadline_s": _seconds(deadline),
        "input": takes,
    }
    kind, made = _task(task, makes, words)
    options["output"] = made
    if words:
        options["intent"] = words
    with connect(target) as client:
        decided = client.decide(kind, **options)
    if as_json:
        print_json(decided)
    else:
        _show(decided)
    if not decided.model:
        raise typer.Exit(1)


def _task(given: str, makes: Modality | None, words: str) -> tuple[TaskKind | None, Modality | None]:
    """The task and what is made, where "image" is short for generating one; no task where words say it."""
    if words and (given or makes):
        raise typer.BadParameter("plain words stand instead of --task and --output, not beside them")
    if given in list(_MADE):
        if makes not in (None, given):
            raise typer.BadParameter(f"--task {given} makes that, and --output says {makes}")
        return TaskKind.GENERATE, Modality(given)
    if given and given not in list(TaskKind):
        raise typer.BadParameter(f"--task is one of {', '.join((*TaskKind, *_MADE))}, not {given!r}")
    return None if words else TaskKind(given or TaskKind.GENERATE), makes


def _seconds(duration: str) -> float:
    """A duration in seconds; without a unit it is seconds. "" is 0."""
    if not duration:
        return 0.0
    told = _DURATION.fullmatch(duration.strip())
    if told is None:
        raise typer.BadParameter(f"--deadline is a duration like 80ms or 2s, not {duration!r}")
    return float(told[1]) * _SECONDS[told[2]]


def _show(decided: Decided) -> None:
    if (understood := decided.understood) is not None:
        meant = [understood.task, understood.input and f"of {understood.input}", understood.output]
        meant += [understood.priority and f"for {understood.priority}", understood.class_label]
        said = ", ".join(filter(None, meant))
        print(f"understood as {understood.row} ({said}), {understood.confidence:.0%} sure")
    table = Table("", "model", "family", "tier", "expected", "quality", "why")
    if decided.model:
        figures = _figures(decided.predicted_latency_s, decided.quality)
        why = "the canary" if decided.canary else ""
        table.add_row("choice", decided.model, decided.family, decided.tier, *figures, why)
    for other in decided.alternatives:
        figures = _figures(other.predicted_latency_s, other.quality)
        table.add_row("next best", other.model, other.family, other.tier, *figures, "")
    for other in decided.counterfactuals:
        figures = _figures(other.predicted_latency_s, other.quality)
        table.add_row("otherwise", other.model, other.family, other.tier, *figures, Plain(other.note))
    for other in decided.rejections:
        figures = _figures(other.predicted_latency_s, other.quality)
        table.add_row("left out", other.model, other.family, other.tier, *figures, Plain(other.note))
    if table.row_count:
        Console().print(table)
    print(decided.explanation)
    if decided.rule:
        print(f"row of the guide: {decided.rule}: {decided.reason}")


def _figures(latency_s: float, quality: float) -> tuple[str, str]:
    """What is expected, in words; "" where nothing was measured."""
    took = f"{1000 * latency_s:.1f} ms" if latency_s < 1 else f"{latency_s:.2f} s"
    return took if latency_s else "", f"{quality:.3f}" if quality else ""
