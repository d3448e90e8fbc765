"""`sextant score`: how likely texts, pictures and rows are."""

import csv
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text as Plain

from sextant.cli.asking import Label, conditions_of
from sextant.cli.batches import in_batches
from sextant.cli.media_files import items_of, name_files
from sextant.cli.table_files import table_file
from sextant.cli.terminal import AsJson, Model, Seed, Target, Timeout, connect, print_json
from sextant.client.inputs import Content
from sextant.client.requests import ScoreOptions
from sextant.contract.events import Likelihood
from sextant.contract.tasks import VaeParameters

_COLUMNS = ("item", "nats", "standard_error_nats", "bits_per_dimension", "estimator")
_SHOWN = 20  # of what is in a file as well


def _csv(path: Path | None) -> Path | None:
    return path and table_file(path)


def score(
    texts: Annotated[list[str], typer.Argument(help="What to score: texts, or files (.png, .jpg, .webp, .csv).")],
    context: Annotated[str, typer.Option(help="Score each text as what follows this.")] = "",
    tokens: Annotated[bool, typer.Option("--tokens", help="Show every token.")] = False,
    exact: Annotated[bool, typer.Option("--exact", help="Only a model whose likelihood is exact, no bound.")] = False,
    label: Label = "",
    importance_samples: Annotated[int | None, typer.Option(help="VAEs: more give a tighter bound.")] = None,
    out: Annotated[Path | None, typer.Option(callback=_csv, help="Also write the figures here, as .csv.")] = None,
    model: Model = "",
    seed: Seed = None,
    timeout: Timeout = None,
    target: Target = None,
    as_json: AsJson = False,
) -> None:
    """Score texts, pictures or rows of tables by their log-likelihood, in nats.

    Of texts, bits and perplexity are per token. Of files, bits are per dimension: pixel and channel, or column; every
    row of a table is scored on its own.
    """
    options: ScoreOptions = {"model": model, "seed": seed, "exact_likelihood": exact}
    options["conditions"] = conditions_of(label, None)
    if importance_samples is not None:
        options["vae"] = VaeParameters(importance_samples=importance_samples)
    files, names, items = name_files(texts), texts, list[Content](texts)
    if files:
        if context or tokens:
            raise typer.BadParameter("--context and --tokens are for texts")
        names, media = items_of([Path(text) for text in texts])
        items = list(media)
    with connect(target) as client:
        answered = in_batches(
            "scoring",
            "items",
            names if files else (),
            items,
            options,
            lambda batch: client.score(batch, context=context, timeout=timeout, **options),
        )
        found, by = zip(*answered, strict=True)
    if out is not None:
        _write(out, names, found)
    if as_json:
        _print_json(names, found, files=files)
    elif files:
        _show_items(names, found, _SHOWN if out is not None else len(names))
        print(f"by {by[0]}")
    else:
        _show_texts(texts, found)
        if tokens:
            _show_tokens(found)


def _write(out: Path, names: Sequence[str], found: Sequence[Likelihood]) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(_COLUMNS)
        for name, one in zip(names, found, strict=True):
            figures = one.log_likelihood_nats, one.standard_error_nats, _bits_per_dimension(one)
            writer.writerow((name, *figures, one.estimator.value))


def _print_json(names: Sequence[str], found: Sequence[Likelihood], *, files: bool) -> None:
    """Dimensions of a text are its tokens."""
    rows = []
    for name, one in zip(names, found, strict=True):
        bits = _bits_per_dimension(one)
        if files:
            rows.append({"item": name, "likelihood": one, "bits_per_dimension": bits})
        else:
            measures = {"bits_per_token": bits, "perplexity": _perplexity(one)}
            rows.append({"text": name, "likelihood": one, **measures})
    print_json(rows)


def _show_items(names: Sequence[str], found: Sequence[Likelihood], most: int) -> None:
    """The first `most`, and of several the mean."""
    table = Table("nats", "standard error", "bits/dimension", "kind", "item")
    for name, one in list(zip(names, found, strict=True))[:most]:
        nats, error = f"{one.log_likelihood_nats:.3f}", f"{one.standard_error_nats:.3f}"
        table.add_row(nats, error, f"{_bits_per_dimension(one):.4f}", one.estimator.value, Plain(name))
    Console().print(table)
    if len(names) > most:
        print(f"and {len(names) - most} more")
    if len(names) > 1:
        mean = math.fsum(one.log_likelihood_nats for one in found) / len(found)
        bits = math.fsum(_bits_per_dimension(one) for one in found) / len(found)
        print(f"mean of {len(names)}: {mean:.3f} nats, {bits:.4f} bits/dimension")


def _show_texts(texts: Sequence[str], found: Sequence[Likelihood]) -> None:
    table = Table("nats", "tokens", "bits/token", "perplexity", "kind", "text")
    for text, one in zip(texts, found, strict=True):
        nats, bits = f"{one.log_likelihood_nats:.3f}", f"{_bits_per_dimension(one):.3f}"
        table.add_row(nats, str(one.dimensions), bits, f"{_perplexity(one):.2f}", one.estimator.value, Plain(text))
    Console().print(table)


def _show_tokens(found: Sequence[Likelihood]) -> None:
    for one in found:
        each = Table("nats", "token")
        for token in one.tokens:
            each.add_row(f"{token.logprob_nats:.3f}", Plain(repr(token.token.decode("utf-8", "replace"))))
        Console().print(each)


def _bits_per_dimension(found: Likelihood) -> float:
    return -found.log_likelihood_nats / max(1, found.dimensions) / math.log(2)


def _perplexity(found: Likelihood) -> float:
    """Infinite where it is beyond what a float can hold."""
    try:
        return math.exp(-found.log_likelihood_nats / max(1, found.dimensions))
    except OverflowError:
        return math.inf
