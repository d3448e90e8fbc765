"""How long work tells how far it is."""

from collections.abc import Callable

# Called as (what is being done, how much is done, how much there is or None if not known); bytes, steps or files.
ProgressFn = Callable[[str, int, int | None], None]


def no_progress(description: str, done: int, total: int | None) -> None:
    """For callers who do not want to know."""
