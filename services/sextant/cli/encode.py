"""`sextant encode` and `sextant fill-mask`: what encoders do."""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from rich.text import Text as Plain

from sextant.cli.asking import Label, conditions_of
from sextant.cli.batches import in_batches
from sextant.cli.latent_files import LATENT, write_latent
from sextant.cli.media_files import name_files, read_file
from sextant.cli.result_paths import check_distinct, is_file
from sextant.cli.terminal import AsJson, Model, Seed, Target, Timeout, connect, print_json
from sextant.client.requests import EncodeOptions
from sextant.contract.media import Latent, Text
from sextant.contract.tasks import GanParameters


def encode(
    texts: Annotated[list[str], typer.Argument(help="What to encode: texts, or files (.png, .jpg, .webp, .csv).")],
    rank: Annotated[str | None, typer.Option(help="Rank the texts by how near they are to this one.")] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Of texts: a NumPy .npy file. Of files: a directory of .npz, or one such file."),
    ] = None,
    label: Label = "",
    inversion_steps: Annotated[int | None, typer.Option(help="GANs: steps of the search for a latent.")] = None,
    model: Model = "",
    seed: Seed = None,
    timeout: Timeout = None,
    target: Target = None,
    as_json: AsJson = False,
) -> None:
    """Embed texts, or encode pictures and tables.

    Near vectors of texts mean like things; cosine similarity runs from -1 to 1. With --rank the nearest text comes
    first; the vectors in --out stay in the order of the texts. Latents of files go to --out as FILE.npz, which
    `sextant decode` and `sextant interpolate` read. A table is one item, its latent a point per row.
    """
    options: EncodeOptions = {"model": model, "seed": seed, "conditions": conditions_of(label, None)}
    if inversion_steps is not None:
        options["gan"] = GanParameters(inversion_steps=inversion_steps)
    if name_files(texts):
        if rank is not None:
            raise typer.BadParameter("--rank is for texts")
        _encode_files([Path(text) for text in texts], out, options, target, timeout, as_json=as_json)
        return
    asked = [*texts, rank] if rank is not None else texts
    with connect(target) as client:
        vectors = np.stack(client.encode(asked, timeout=timeout, **options))
    shown = vectors[: len(texts)]
    if out is not None:
        with out.open("wb") as file:
            np.save(file, shown)
    if rank is None:
        _show_vectors(texts, shown, as_json=as_json)
    else:
        _show_ranking(texts, shown, _cosine(shown, vectors[-1]), as_json=as_json)


def _encode_files(
    paths: list[Path],
    out: Path | None,
    options: EncodeOptions,
    target: str | None,
    timeout: float | None,
    *,
    as_json: bool,
) -> None:
    one = out is not None and is_file(out, (LATENT,), len(paths))
    if out is not None:
        check_distinct(paths)
    given = [read_file(path) for path in paths]
    latents: list[Latent] = []
    with connect(target) as client:
        answered = in_batches(
            "encoding",
            "items",
            [str(path) for path in paths],
            given,
            options,
            lambda batch: client.latents(batch, timeout=timeout, **options),
        )
        for path, (latent, _) in zip(paths, answered, strict=True):
            latents.append(latent)
            if out is not None:
                write_latent(out if one else out / f"{path.stem}{LATENT}", latent)
    if as_json:
        print_json([{"file": str(path), "latent": latent} for path, latent in zip(paths, latents, strict=True)])
        return
    table = Table("space", "shape", "mean", "file")
    for path, latent in zip(paths, latents, strict=True):
        preview = " ".join(f"{x:+.3f}" for x in latent.mean.reshape(-1)[:4])
        table.add_row(latent.space, Plain(str(list(latent.mean.shape))), f"{preview} ...", Plain(str(path)))
    Console().print(table)


def _cosine(vectors: NDArray[np.floating], query: NDArray[np.floating]) -> NDArray[np.floating]:
    """Cosine similarity of each of vectors[n, ...] with query[...]; 0 for a vector of no length."""
    rows, one = vectors.reshape(len(vectors), -1).astype(np.float64), query.reshape(-1).astype(np.float64)
    lengths = np.linalg.norm(rows, axis=1) * np.linalg.norm(one)
    similarity: NDArray[np.floating] = np.divide(rows @ one, lengths, out=np.zeros(len(rows)), where=lengths > 0)
    return similarity


def _show_vectors(texts: list[str], vectors: NDArray[np.floating], *, as_json: bool) -> None:
    if as_json:
        print_json([{"text": text, "vector": vector} for text, vector in zip(texts, vectors, strict=True)])
        return
    table = Table("shape", "vector", "text")
    for text, vector in zip(texts, vectors, strict=True):
        preview = " ".join(f"{x:+.3f}" for x in vector.reshape(-1)[:4])
        table.add_row(Plain(str(list(vector.shape))), f"{preview} ...", Plain(text))
    Console().print(table)


def _show_ranking(
    texts: list[str], vectors: NDArray[np.floating], similarity: NDArray[np.floating], *, as_json: bool
) -> None:
    nearest_first = np.argsort(-similarity, kind="stable")
    if as_json:
        rows = [{"text": texts[i], "similarity": float(similarity[i]), "vector": vectors[i]} for i in nearest_first]
        print_json(rows)
        return
    table = Table("similarity", "text")
    for i in nearest_first:
        table.add_row(f"{similarity[i]:.3f}", Plain(texts[i]))
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
