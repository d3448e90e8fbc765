"""`sextant status`: whether the platform serves, and what."""

from typing import Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text as Plain

from sextant.cli.listening import is_ready
from sextant.cli.run_state import RunState, read_state
from sextant.cli.terminal import AsJson, Target, connect, given_target, print_json
from sextant.client.errors import ClientError

_READINESS = {True: "serving", False: "not ready", None: "no answer"}


def status(target: Target = None, as_json: AsJson = False) -> None:
    """Show whether the platform serves, what it serves and where its metrics are. Exit code 0 only if it serves."""
    named = given_target(target)
    state = None if named else read_state()
    told = _about(named, state)
    if as_json:
        print_json(told)
    else:
        _show(told)
    if not told["serving"]:
        raise typer.Exit(1)


def _about(named: str | None, state: RunState | None) -> dict[str, Any]:
    told: dict[str, Any] = {
        "target": named or (state.target if state else None),
        "serving": False,
        "problem": "",
        "pid": state.pid if state else None,
        "log_directory": str(state.log_directory) if state else None,
        "gateways": [{"metrics": url, "state": _READINESS[is_ready(url)]} for url in state.metrics] if state else [],
        "services": {},
        "models": [],
    }
    if told["target"] is None:
        return {**told, "problem": "no platform runs here; `sextant up` starts one"}
    if state is not None and not state.serving:
        return {**told, "problem": "starting"}
    try:
        with connect(told["target"]) as client:
            told["services"] = client.health()
            told["models"] = client.models(timeout=5.0)
    except ClientError as error:
        return {**told, "problem": str(error)}
    told["serving"] = all(told["services"].values()) and all(g["state"] == "serving" for g in told["gateways"])
    return told if told["serving"] else {**told, "problem": "not everything is ready"}


def _show(told: dict[str, Any]) -> None:
    if not told["target"]:
        print(told["problem"])
        return
    print(f"{'serving' if told['serving'] else told['problem']} at {told['target']}")
    for gateway in told["gateways"]:
        print(f"gateway: {gateway['state']}, metrics at {gateway['metrics']}")
    for name, serves in told["services"].items():
        print(f"service: {name} {'serving' if serves else 'not serving'}")
    if told["models"]:
        table = Table("model", "version", "family", "tasks", "on", "context")
        for model in told["models"]:
            table.add_row(
                Plain(model.name),
                model.version,
                model.family or "(own)",
                ", ".join(model.tasks),
                ", ".join(provider.removesuffix("ExecutionProvider") for provider in model.providers),
                str(model.context_tokens or ""),
            )
        Console().print(table)
