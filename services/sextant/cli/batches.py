"""More items than a request holds, as several requests that one model answers with one seed."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from sextant.cli.blame import blaming_files
from sextant.cli.progress_bars import ProgressBars
from sextant.client.answers import Listed
from sextant.client.requests import CallOptions
from sextant.contract.errors import SextantError
from sextant.contract.request_media import MOST_ITEMS

T = TypeVar("T")
Answer = TypeVar("Answer")


def in_batches(
    what: str,
    field: str,
    files: Sequence[str],
    items: Sequence[T],
    options: CallOptions,
    ask: Callable[[Sequence[T]], Listed[Answer]],
) -> Iterator[tuple[Answer, str]]:
    """Each answer of `ask` with the model that gave it, in order, with a bar named `what` where there are several.

    The first answer's model and seed go into `options`, which `ask` sends, so that all the answers can be compared.
    Refusals of `field[i]` name the file of item i, if `files` are given.
    """
    with ProgressBars() as progress:
        for first in range(0, len(items), MOST_ITEMS):
            batch = items[first : first + MOST_ITEMS]
            with blaming_files({f"{field}[{i}]": name for i, name in enumerate(files[first : first + MOST_ITEMS])}):
                answered = ask(batch)
            if len(answered) != len(batch):
                raise SextantError(f"{len(answered)} answers came for {len(batch)} items")
            options["model"], options["seed"] = answered.receipt.model, answered.receipt.seed
            if len(items) > MOST_ITEMS:
                progress(what, first + len(batch), len(items))
            for answer in answered:
                yield answer, answered.receipt.model
