"""`sextant score`: how likely texts are."""

import math
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text as Plain

from sextant.cli.terminal import AsJson, Model, Target, Timeout, connect, print_json
from sextant.contract.events import Likelihood


def score(
    texts: Annotated[list[str], typer.Argument(help="What to score.")],
    context: Annotated[str, typer.Option(help="Score each text as what follows this.")] = "",
    tokens: Annotated[bool, typer.Option("--tokens", help="Show every token.")] = False,
    model: Model = "",
    timeout: Timeout = None,
    target: Target = None,
    as_json: AsJson = False,
) -> None:
    """Score texts by their log-likelihood, in nats; bits and perplexity are per token."""
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
