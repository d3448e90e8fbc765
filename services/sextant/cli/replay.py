"""`sextant replay`: ask again for what was answered before, and compare the bytes."""

from pathlib import Path
from typing import Annotated

import typer

from sextant.cli.terminal import AsJson, Target, Timeout, complain, connect, print_json
from sextant.client import ClientError, Replayed, read_stored
from sextant.contract.v1 import receipts_pb2


def replay(
    files: Annotated[list[Path], typer.Argument(help="What `sextant --receipts FILE COMMAND` wrote.")],
    timeout: Timeout = None,
    target: Target = None,
    as_json: AsJson = False,
) -> None:
    """Ask again, by the same model with the same seed, and compare the sha256 of every output.

    Says for each answer whether it is the same, and what is otherwise than it was: bundle, provider, versions,
    processor. Exit code 0 only if all are the same.
    """
    answers = [(file, answer) for file in files for answer in read_stored(file)]
    good = True
    with connect(target, keep=False) as client:
        for file, answer in answers:
            told = {"file": str(file), "request_id": answer.receipt.request_id, "model": answer.receipt.model}
            try:
                replayed = client.replay(answer, timeout=timeout)
            except ClientError as error:
                good = False
                if as_json:
                    print_json({**told, "same": False, "error": str(error), "reason": error.reason}, indent=None)
                else:
                    complain(error)
                continue
            good = good and replayed.same
            if as_json:
                print_json({**told, "same": replayed.same, **_plain(replayed)}, indent=None)
            else:
                print(_verdict(file, answer, replayed), flush=True)
    if not good:
        raise typer.Exit(1)


def _plain(replayed: Replayed) -> dict[str, object]:
    return {
        "kind": replayed.kind,
        "items": replayed.items,
        "differing": replayed.differing,
        "cut_by_deadline": replayed.untold,
        "changes": replayed.changes,
    }


def _verdict(file: Path, answer: receipts_pb2.StoredAnswer, replayed: Replayed) -> str:
    """One line, and one more for each thing that changed."""
    if replayed.same:
        verdict = "same"
    elif replayed.differing:
        verdict = f"differs in {len(replayed.differing)} of {replayed.items} items"
    else:
        verdict = f"cannot be compared: its deadline cut {len(replayed.untold)} of {replayed.items} items short"
    changes = list(replayed.changes)
    if replayed.differing and not changes:
        changes = ["nothing that receipts tell of has changed"]
    what = f"{file}: {replayed.kind} by {replayed.model}, request {answer.receipt.request_id}: {verdict}"
    return "\n".join([what, *(f"  {change}" for change in changes)])
