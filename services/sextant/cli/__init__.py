"""The command line. Each command is a file; what fails is one plain line on stderr."""

import os
import sys

from sextant.cli.app import app
from sextant.cli.terminal import complain
from sextant.client.errors import ClientError
from sextant.contract.errors import SextantError

_INTERRUPTED = 130


def main() -> int:
    """Run the command in `sys.argv`. 0 on success, 1 on failure, 2 on wrong usage, 130 on Ctrl-C."""
    try:
        result = app(standalone_mode=False)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        return _reader_has_gone()
    except SystemExit as left:
        # click ends the process itself where a pipe breaks, and nowhere else in this mode.
        if isinstance(left.__context__, BrokenPipeError):
            return _reader_has_gone()
        raise
    except (SextantError, ClientError, OSError) as error:
        complain(error)
        return 1
    except Exception as error:
        return _usage(error)
    return result if isinstance(result, int) else 0


def _reader_has_gone() -> int:
    """As when `head` has seen enough: no failure, and nothing left to flush into."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.__stdout__.fileno() if sys.__stdout__ else 1)
    return 0


def _usage(error: Exception) -> int:
    """The exit code of typer's own errors, which know how to show themselves; any other is a defect."""
    show, exit_code = getattr(error, "show", None), getattr(error, "exit_code", None)
    if exit_code is None:
        if type(error).__name__ == "Abort":
            return _INTERRUPTED
        raise error
    if show is not None:
        show()
    return int(exit_code)
