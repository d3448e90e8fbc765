"""`sextant score`: how likely texts, pictures and rows are."""

import csv
import math
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text as Plain

from sextant.cli.asking import Label, conditions_of
from sextant.cli.media_files import batches, items_of, name_files
from sextant.cli.terminal import AsJson, Model, Seed, Target, Timeout, connect, print_json
from sextant.client.requests import ScoreOptions
from sextant.contract.events import Likelihood
from sextant.contract.tasks import VaeParameters

_MOST_ITEMS = 256  # of one request
_COLUMNS = ("nats", "standard error", "bits/dimension", "kind", "item")


def score(
    texts: Annotated[list[str], typer.Argument(help="What to score: texts, or files (.png, .jpg, .webp, .csv).")],
    context: Annotated[str, typer.Option(help="Score each text as what follows this.")] = "",
    tokens: Annotated[bool, typer.Option("--tokens", help="Show every token.")] = False,
    exact: Annotated[bool, typer.Option("--exact", help="Only a model whose likelihood is exact, no bound.")] = False,
    label: Label = "",
    importance_samples: Annotated[int | None, typer.Option(help="VAEs: more give a tighter bound.")] = None,
    out: Annotated[Path | None, typer.Option(help="Of files: also write the figures here, as CSV.")] = None,
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
    if name_files(texts):
        options: ScoreOptions = {"model": model, "seed": seed, "exact_likelihood": exact}
        options["conditions"] = conditions_of(label, None)
        if importance_samples is not None:
            options["vae"] = VaeParameters(importance_samples=importance_samples)
        _score_files([Path(text) for text in texts], out, options, target, timeout, as_json=as_json)
        return
    with connect(target) as client:
        likelihoods = client.score(texts, context=context, model=model, timeout=timeout)
    if as_json:
        print_json([_row(text, found) for text, found in zip(texts, likelihoods, strict=True)])
        return
    table = Table("nats", "tokens", "bits/token", "perplexity", "kind", "text")
    for text, found in zip(texts, likelihoods, strict=True):
        table.add_row(
            f"{found.log_likelihood_nats:.3f}",
            str(found.dimensions),
            f"{_bits_per_token(found):.3f}",
            f"{_perplexity(found):.2f}",
            found.estimator.value,
            Plain(text),
        )
    console = Console()
    console.print(table)
    if tokens:
        for found in likelihoods:
            each = Table("nats", "token")
            for token in found.tokens:
                each.add_row(f"{token.logprob_nats:.3f}", Plain(repr(token.token.decode("utf-8", "replace"))))
            console.print(each)


def _score_files(
    paths: list[Path],
    out: Path | None,
    options: ScoreOptions,
    target: str | None,
    timeout: float | None,
    *,
    as_json: bool,
) -> None:
    names, items = items_of(paths)
    found: list[Likelihood] = []
    with connect(target) as client:
        for batch in batches(items, _MOST_ITEMS):
            answered = client.score(batch, timeout=timeout, **options)
            found += answered
    rows = [
        (f"{likelihood.log_likelihood_nats:.3f}", f"{likelihood.standard_error_nats:.3f}",
         f"{_bits_per_token(likelihood):.4f}", likelihood.estimator.value, name)
        for name, likelihood in zip(names, found, strict=True)
    ]  # fmt: skip
    if out is not None:
        with out.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([_COLUMNS, *rows])
    if as_json:
        print_json([{"item": name, "likelihood": one} for name, one in zip(names, found, strict=True)])
        return
    table = Table(*_COLUMNS)
    for row in rows:
        table.add_row(*map(Plain, row))
    Console().print(table)
    print(f"by {answered.receipt.model}")


def _row(text: str, found: Likelihood) -> dict[str, Any]:
    measures = {"bits_per_token": _bits_per_token(found), "perplexity": _perplexity(found)}
    return {"text": text, "likelihood": found, **measures}


def _bits_per_token(found: Likelihood) -> float:
    return -found.log_likelihood_nats / max(1, found.dimensions) / math.log(2)


def _perplexity(found: Likelihood) -> float:
    """Infinite where it is beyond what a float can hold."""
    try:
        return math.exp(-found.log_likelihood_nats / max(1, found.dimensions))
    except OverflowError:
        return math.inf
