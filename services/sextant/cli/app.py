"""The `sextant` command with all its sub-commands."""

from pathlib import Path
from typing import Annotated

import typer

import sextant
from sextant.cli import (
    chat,
    compare,
    decode,
    demo,
    deploy,
    encode,
    generate,
    interpolate,
    keys,
    models,
    node,
    replay,
    route,
    score,
    status,
    terminal,
    transform,
    up,
    zoo,
)

app = typer.Typer(
    name="sextant",
    help="Serves every kind of generative model behind one gRPC door.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
)
app.add_typer(generate.app, name="generate")
app.add_typer(models.app, name="models")
app.add_typer(zoo.app, name="zoo")
app.add_typer(node.app, name="node", no_args_is_help=True)
app.add_typer(keys.app, name="keys")
app.command("chat")(chat.chat)
app.command("encode")(encode.encode)
app.command("decode")(decode.decode)
app.command("score")(score.score)
app.command("interpolate")(interpolate.interpolate)
app.command("transform")(transform.transform)
app.command("fill-mask")(encode.fill_mask)
app.command("route")(route.route)
app.command("replay")(replay.replay)
app.command("compare")(compare.compare)
app.command("up")(up.up)
app.command("down")(up.down)
app.command("status")(status.status)
app.command("deploy")(deploy.deploy)
app.command("demo")(demo.demo)


def _version(wanted: bool) -> None:
    if wanted:
        print(sextant.__version__)
        raise typer.Exit


@app.callback()
def _options(
    target: Annotated[
        str | None,
        typer.Option(envvar="SEXTANT_TARGET", help="The gateway, host:port. Default: what `sextant up` started."),
    ] = None,
    tls: Annotated[bool, typer.Option("--tls", envvar="SEXTANT_TLS", help="Speak TLS with the gateway.")] = False,
    ca: Annotated[
        Path | None,
        typer.Option("--tls-ca", envvar="SEXTANT_TLS_CA", help="PEM file: who signed its certificate."),
    ] = None,
    certificate: Annotated[
        Path | None,
        typer.Option("--tls-certificate", envvar="SEXTANT_TLS_CLIENT_CERTIFICATE", help="PEM file: your own."),
    ] = None,
    key: Annotated[
        Path | None,
        typer.Option("--tls-key", envvar="SEXTANT_TLS_CLIENT_KEY", help="PEM file: the key of your own."),
    ] = None,
    api_key: Annotated[
        str | None,
        typer.Option(
            "--api-key",
            envvar="SEXTANT_API_KEY",
            show_envvar=True,
            help="The key to show. Others on this machine can see it here: better the variable, or a file.",
        ),
    ] = None,
    api_key_file: Annotated[
        Path | None, typer.Option("--api-key-file", envvar="SEXTANT_API_KEY_FILE", help="A file with the key in it.")
    ] = None,
    receipts: Annotated[
        Path | None,
        typer.Option(help="Keep here what is asked and the receipts of the answers, for `sextant replay`."),
    ] = None,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")] = False,
) -> None:
    terminal.CONNECTION.target = target
    terminal.CONNECTION.receipts = receipts
    terminal.CONNECTION.api_key = terminal.key_from(api_key, api_key_file)
    terminal.CONNECTION.tls = terminal.tls_from(ca, certificate, key, wanted=tls)
