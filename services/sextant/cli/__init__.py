"""The command line. Each command is a file; what fails is one plain line on stderr."""

import sys

from sextant.cli.app import app
from sextant.cli.terminal import complain
from sextant.client.errors import ClientError
from sextant.contract.errors import SextantError


def main() -> int:
    """Run the command in `sys.argv`. 0 on success, 1 on failure, 2 on wrong usage, 130 on Ctrl-C."""
    try:
        result = app(standalone_mode=False)
    except (SextantError, ClientError) as error:
        complain(error)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except Exception as error:
        return _usage(error)
    return result if isinstance(result, int) else 0


def _usage(error: Exception) -> int:
    """The exit code of typer's own errors, which know how to show themselves; any other is a defect."""
    show, exit_code = getattr(error, "show", None), getattr(error, "exit_code", None)
    if exit_code is None:
        if type(error).__name__ == "Abort":
            return 130
        raise error
    if show is not None:
        show()
    return int(exit_code)
