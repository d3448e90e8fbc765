"""`sextant keys`: the API keys of a gateway, in its file."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from sextant.cli.terminal import AsJson, print_json
from sextant.gateway.access.key_file import create_key, revoke_key
from sextant.gateway.access.keys import now_utc, read_keys
from sextant.gateway.access.scopes import GROUPS, USUAL

app = typer.Typer(no_args_is_help=True, help="Who may call: API keys in a file that gateways read.")

File = Annotated[
    Path,
    typer.Option("--file", envvar="SEXTANT_KEYS", help="The file of keys; gateways need its path in SEXTANT_KEYS."),
]


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Whose key it is: small letters, digits and dashes.")],
    file: File,
    scopes: Annotated[
        list[str] | None,
        typer.Option(
            "--scope",
            help=f"What it is for: {', '.join(GROUPS)}, or a method as in sextant.v1.Generation/Encode; repeatable. "
            f"Default: {', '.join(USUAL)}.",
        ),
    ] = None,
    days: Annotated[float | None, typer.Option(min=0.0, help="It expires after so many days. Default: never.")] = None,
    rate: Annotated[float | None, typer.Option(help="Calls per second, in each gateway process.")] = None,
    burst: Annotated[int | None, typer.Option(help="How many may come at once. Default: one second's.")] = None,
    requests_per_day: Annotated[int | None, typer.Option(help="Calls per day (UTC), in each gateway process.")] = None,
    steps_per_day: Annotated[
        int | None, typer.Option(help="Network steps per day (UTC) of what is made, in each gateway process.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a key and print it. This once: the file holds only a hash. Gateways take the file over within seconds."""
    now = now_utc().replace(microsecond=0)
    token = create_key(
        file,
        name,
        scopes=scopes or list(USUAL),
        created=now,
        expires=None if days is None else now + timedelta(days=days),
        rate_per_s=rate,
        burst=burst,
        requests_per_day=requests_per_day,
        steps_per_day=steps_per_day,
    )
    if as_json:
        print_json({"name": name, "key": token, "file": str(file)})
    else:
        print(token)


@app.command("list")
def list_keys(file: File, as_json: AsJson = False) -> None:
    """Name the keys, what they are for, and their limits."""
    now, keys = now_utc(), read_keys(file).keys
    if as_json:
        told = {name: key.model_dump(mode="json", exclude={"sha256"}) for name, key in sorted(keys.items())}
        print_json([{"name": name, **entry, "expired": keys[name].is_expired(now)} for name, entry in told.items()])
        return
    table = Table("name", "scopes", "created", "expires", "limits")
    for name, key in sorted(keys.items()):
        limits = {
            "calls/s": key.rate_per_s,
            "at once": key.burst,
            "calls/day": key.requests_per_day,
            "steps/day": key.steps_per_day,
        }
        shown = ", ".join(f"{limit:g} {unit}" for unit, limit in limits.items() if limit is not None)
        expires = f"{_day(key.expires)}{' (expired)' if key.is_expired(now) else ''}"
        table.add_row(name, ", ".join(key.scopes), _day(key.created), expires, shown or "none")
    Console().print(table)


@app.command()
def revoke(name: Annotated[str, typer.Argument(help="Whose key goes.")], file: File) -> None:
    """Remove a key. Gateways refuse it within seconds; calls that it has begun may end."""
    revoke_key(file, name)
    print(f"{name} is revoked")


def _day(moment: datetime | None) -> str:
    return "" if moment is None else f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}"
