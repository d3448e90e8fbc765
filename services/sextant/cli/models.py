"""`sextant models`: what is on disk, what can be pulled, and bringing weights in."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sextant.bundles.catalogue import CatalogueEntry, catalogue
from sextant.bundles.manifest import Manifest
from sextant.bundles.store import SHIPPED_DIRECTORY, Bundle, BundleStore, cache_directory, pulled_directory
from sextant.bundles.verify import explain
from sextant.bundles.writer import ImportOptions
from sextant.cli.progress_bars import ProgressBars
from sextant.contract.errors import BundleRefused, ModelNotFound, SextantError
from sextant.families.importing import import_model, pull
from sextant.hybrids.diffusers_import import import_pipeline, is_pipeline

app = typer.Typer(no_args_is_help=True, help="Model bundles: list, show, verify, pull and import them.")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


class Precision(StrEnum):
    """Precision of the weights of an imported language model."""

    FP32 = "fp32"
    INT8 = "int8"


@app.command("list")
def list_models(as_json: AsJson = False) -> None:
    """List the models on disk and those that can be pulled."""
    store = BundleStore.default()
    rows = [_row_on_disk(store, name) for name in store.names()]
    rows += [_row_to_pull(name, entry) for name, entry in catalogue().items() if name not in store.names()]
    if as_json:
        _print_json(rows)
        return
    table = Table("model", "version", "family", "tasks", "size", "where", "description")
    for row in rows:
        tasks, size = ", ".join(row["tasks"]), _megabytes(row["size_bytes"])
        cells = (row["name"], row["version"], row["family"], tasks, size, row["where"], row["description"])
        table.add_row(*map(Text, cells))  # as Text: a manifest's brackets are no mark-up
    Console().print(table)


@app.command()
def show(name: Annotated[str, typer.Argument(help="The model.")], as_json: AsJson = False) -> None:
    """Show all that a model's manifest says, or its catalogue entry if it is not on disk."""
    with _plain_errors():
        content = _about(name)
    if as_json:
        _print_json(content)
        return
    table = Table(show_header=False)
    for key, value in content.items():
        table.add_row(key, Text(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)))
    Console().print(table)


@app.command()
def verify(
    names: Annotated[list[str] | None, typer.Argument(help="The models; without any, all on disk.")] = None,
    as_json: AsJson = False,
) -> None:
    """Check every file of bundles against their manifests, and their parity. Exit code 1 if any is refused."""
    store = BundleStore.default()
    results = [_verified(store, name) for name in names or store.names()]
    if as_json:
        _print_json(results)
    for result in results:
        if not result["ok"]:
            typer.echo(result["reason"], err=True)
        elif not as_json:
            typer.echo(f"{result['name']}: good, sha256 {result['digest']}")
    if not all(result["ok"] for result in results):
        raise typer.Exit(1)


@app.command("pull")
def pull_models(
    names: Annotated[list[str] | None, typer.Argument(help="Models of the catalogue.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Pull the whole catalogue.")] = False,
    as_json: AsJson = False,
) -> None:
    """Download models of the catalogue and convert them, once; afterwards they are served offline."""
    wanted = list(catalogue()) if everything else names
    if not wanted:
        raise typer.BadParameter("name a model, or give --all")
    with _plain_errors(), ProgressBars() as bars:
        bundles = [pull(name, cache_directory(), bars) for name in wanted]
    _print_bundles(bundles, as_json)


@app.command("import")
def import_weights(
    path: Annotated[Path, typer.Argument(help="A GGUF file, or a directory of Hugging Face's or diffusers'.")],
    name: Annotated[str, typer.Option(help="What the model shall be called; one of that name is replaced.")],
    version: Annotated[str, typer.Option(help="Its version.")] = "1.0.0",
    precision: Annotated[Precision, typer.Option(help="Precision of its weights.")] = Precision.FP32,
    description: Annotated[str, typer.Option(help="What it is, in a sentence.")] = "",
    license_name: Annotated[str, typer.Option("--license", help="Its licence, as an SPDX expression.")] = "unknown",
    provenance: Annotated[str, typer.Option(help="Where the weights come from.")] = "unknown",
    context_tokens: Annotated[int | None, typer.Option(help="Longest context; default: as trained.")] = None,
    as_json: AsJson = False,
) -> None:
    """Convert weights of your own into a bundle in the cache."""
    with _plain_errors(), ProgressBars() as bars:
        options = ImportOptions(
            name=name,
            version=version,
            precision=precision.value,
            description=description,
            license=license_name,
            provenance=provenance,
            context_tokens=context_tokens,
        )
        make = import_pipeline if is_pipeline(path) else import_model
        bundle = make(path, pulled_directory(), options, bars)
    _print_bundles([bundle], as_json)


@contextmanager
def _plain_errors() -> Iterator[None]:
    """Our errors, wrong options and a full or forbidden disk, as one line on stderr and exit code 1."""
    try:
        yield
    except (SextantError, ValidationError, OSError) as error:
        reason = explain(error) if isinstance(error, ValidationError) else str(error)
        typer.echo(" ".join(reason.split()), err=True)
        raise typer.Exit(1) from error


def _row_on_disk(store: BundleStore, name: str) -> dict[str, Any]:
    directory = store.find(name).parent
    where = {SHIPPED_DIRECTORY: "shipped", pulled_directory(): "cache"}.get(directory, str(directory))
    row = {"name": name, "version": "", "family": "", "tasks": (), "size_bytes": 0, "where": where, "refused": None}
    try:
        manifest = store.manifest(name)
    except BundleRefused as error:
        return {**row, "description": str(error), "refused": error.reason}
    size = sum(file.bytes for file in manifest.files.values())
    return {**row, **_summary(manifest), "size_bytes": size}


def _row_to_pull(name: str, entry: CatalogueEntry) -> dict[str, Any]:
    return {
        "name": name,
        "version": entry.version,
        "family": entry.family,
        "tasks": (),
        "size_bytes": entry.download_bytes,
        "where": "to be pulled",
        "refused": None,
        "description": entry.description,
    }


def _summary(manifest: Manifest) -> dict[str, Any]:
    return {
        "version": manifest.version,
        "family": manifest.family,
        "tasks": manifest.tasks,
        "description": manifest.description,
    }


def _about(name: str) -> dict[str, Any]:
    store = BundleStore.default()
    try:
        return {"where": str(store.find(name)), **store.manifest(name).model_dump(mode="json", exclude_none=True)}
    except ModelNotFound:
        if name not in catalogue():
            raise
        return {"where": "to be pulled", "name": name, **catalogue()[name].model_dump(mode="json")}


def _verified(store: BundleStore, name: str) -> dict[str, Any]:
    try:
        return {"name": name, "ok": True, "digest": store.open(name).digest, "reason": None}
    except (BundleRefused, ModelNotFound) as error:
        return {"name": name, "ok": False, "digest": None, "reason": " ".join(str(error).split())}


def _print_bundles(bundles: list[Bundle], as_json: bool) -> None:
    rows = [
        {
            "name": bundle.manifest.name,
            "path": str(bundle.path),
            "digest": bundle.digest,
            "size_bytes": bundle.size_bytes,
        }
        for bundle in bundles
    ]
    if as_json:
        _print_json(rows)
        return
    for row in rows:
        typer.echo(f"{row['name']}: {row['path']}")


def _print_json(content: object) -> None:
    typer.echo(json.dumps(content, indent=2, ensure_ascii=False))


def _megabytes(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:.1f} MB" if size_bytes else ""
