"""`sextant status`: whether the platform serves, and what."""

from typing import Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text as Plain

from sextant.cli.run_state import read_state
from sextant.cli.terminal import AsJson, Target, connect, print_json
from sextant.client.errors import ClientError


def status(target: Target = None, as_json: AsJson = False) -> None:
    """Show whether the platform serves, what it serves and where its metrics are. Exit code 0 only if it serves."""
    state = None if target else read_state()
    told: dict[str, Any] = {
        "target": target or (state.target if state else None),
        "serving": False,
        "pid": state.pid if state else None,
        "gateways": len(state.gateway_pids) if state else None,
        "metrics": list(state.metrics) if state else [],
        "log": str(state.log_directory) if state else None,
        "models": [],
    }
    problem = "no platform runs here; `sextant up` starts one"
    if told["target"] is not None:
        try:
            with connect(told["target"]) as client:
                told["serving"] = client.serving()
                told["models"] = client.models(timeout=5.0)
            problem = "" if told["serving"] else "not every model is warm"
        except ClientError as error:
            problem = str(error)
    if as_json:
        print_json({**told, "problem": problem})
    else:
        _show(told, problem)
    if not told["serving"]:
        raise typer.Exit(1)


def _show(told: dict[str, Any], problem: str) -> None:
    if not told["target"]:
        print(problem)
        return
    gateways = f", {told['gateways']} gateways" if told["gateways"] else ""
    print(f"{'serving' if told['serving'] else problem} at {told['target']}{gateways}")
    for url in told["metrics"]:
        print(f"metrics: {url}")
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
