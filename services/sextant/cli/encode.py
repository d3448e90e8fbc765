"""`sextant encode` and `sextant fill-mask`: what encoders do."""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text as Plain

from sextant.cli.terminal import AsJson, Model, Target, Timeout, connect, print_json
from sextant.contract.media import Text


def encode(
    texts: Annotated[list[str], typer.Argument(help="What to encode.")],
    rank: Annotated[str | None, typer.Option(help="Rank the texts by how near they are to this one.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write the vectors here, as a NumPy .npy file.")] = None,
    model: Model = "",
    timeout: Timeout = None,
    target: Target = None,
    as_json: AsJson = False,
) -> None:
    """Embed texts. Near vectors mean like things; cosine similarity runs from -1 to 1."""
    with connect(target) as client:
        asked = [*texts, rank] if rank is not None else texts
        vectors = np.stack(client.encode(asked, model=model, timeout=timeout))
    shown = vectors[: len(texts)]
    if out is not None:
        np.save(out, shown)
    similarity = None if rank is None else [float(v @ vectors[-1]) for v in shown]
    if as_json:
        print_json(
            [
                {"text": text, "vector": vector, **({} if similarity is None else {"similarity": similarity[i]})}
                for i, (text, vector) in enumerate(zip(texts, shown, strict=True))
            ]
        )
        return
    table = Table("similarity" if similarity else "vector", "text")
    order = sorted(range(len(texts)), key=lambda i: -similarity[i]) if similarity else range(len(texts))
    for i in order:
        preview = f"{similarity[i]:.3f}" if similarity else " ".join(f"{x:+.3f}" for x in shown[i][:4]) + " ..."
        table.add_row(preview, Plain(texts[i]))
    Console().print(table)


def fill_mask(
    text: Annotated[str, typer.Argument(help="A text with one or more of the model's mask tokens.")],
    candidates: Annotated[int, typer.Option(help="How many to show for each blank.")] = 5,
    model: Model = "",
    timeout: Timeout = None,
    target: Target = None,
    as_json: AsJson = False,
) -> None:
    """Fill the blanks of a sentence, with an encoder that has a language-model head."""
    with connect(target) as client:
        answer = client.fill_mask(text, candidates=candidates, model=model, timeout=timeout)
    filled = answer.media.content if isinstance(answer.media, Text) else ""
    if as_json:
        print_json({"text": filled, "fills": answer.fills})
        return
    print(filled)
    for number, fill in enumerate(answer.fills, 1):
        shown = ", ".join(f"{c.token.decode('utf-8', 'replace')} {np.exp(c.logprob_nats):.1%}" for c in fill)
        print(f"blank {number}: {shown}")
