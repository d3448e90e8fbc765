"""Where results go: settled before anything is asked for, so that nothing made is lost."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import typer


def is_file(out: Path, suffixes: Sequence[str], count: int) -> bool:
    """Whether `out` names a file rather than a directory for `count` results.

    Raises `typer.BadParameter` for a suffix that is none of `suffixes`, and for one file for several results.
    """
    if not out.suffix or out.is_dir():
        return False
    if out.suffix.lower() not in suffixes:
        raise typer.BadParameter(f"--out {out} must end in one of {', '.join(suffixes)}, or name a directory")
    if count > 1:
        raise typer.BadParameter(f"--out names one file for {count} results; name a directory")
    return True


def check_distinct(sources: Sequence[Path]) -> None:
    """Raises `typer.BadParameter` where two results, named after their sources, would be one file."""
    for stem, number in Counter(source.stem for source in sources).items():
        if number > 1:
            raise typer.BadParameter(f"{number} of the files are called {stem}: their results would be one file")
