"""`python -m bench [SECTION ...]`: measure, print Markdown, keep the figures in results/latest.json."""

import argparse
import json
import platform
from pathlib import Path
from typing import Any

import psutil

from bench import faults, guide, hybrids, overhead, overload, pictures, steps, text

_SECTIONS: dict[str, Any] = {
    "text": text,
    "pictures": pictures,
    "steps": steps,
    "hybrids": hybrids,
    "overhead": overhead,
    "guide": guide,
    "overload": overload,
    "faults": faults,
}
_RESULTS = Path(__file__).parent / "results" / "latest.json"


def main() -> None:
    """Run the named sections, or all."""
    options = _options()
    found: dict[str, Any] = json.loads(_RESULTS.read_text()) if _RESULTS.exists() else {}
    found["machine"] = {
        "cores": psutil.cpu_count(logical=True),
        "architecture": platform.machine(),
        "python": platform.python_version(),
        "load_before": psutil.getloadavg()[0],
    }
    own = {"faults": {name: getattr(options, name) for name in ("seconds", "seed", "kill_every", "faults")}}
    for name in options.sections or _SECTIONS:
        section = _SECTIONS[name]
        measured = section.measure(**own.get(name, {}))
        print(f"## {name}\n\n{section.table(measured)}\n", flush=True)
        found[name] = measured
    _RESULTS.parent.mkdir(exist_ok=True)
    _RESULTS.write_text(json.dumps(found, indent=2) + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=", ".join(_SECTIONS))
    wrecking = parser.add_argument_group("faults")
    wrecking.add_argument("--seconds", type=float, default=120.0, help="how long they go on")
    wrecking.add_argument("--seed", type=int, default=1, help="what they are drawn from")
    wrecking.add_argument("--kill-every", type=float, default=10.0, help="seconds between two")
    wrecking.add_argument(
        "--faults", type=lambda text: tuple(text.split(",")), default=("kill",), help=", ".join(faults.KINDS)
    )
    options = parser.parse_args()
    for name in options.sections:
        if name not in _SECTIONS:
            parser.error(f"no section {name!r}; there are {', '.join(_SECTIONS)}")
    for kind in options.faults:
        if kind not in faults.KINDS:
            parser.error(f"no fault {kind!r}; there are {', '.join(faults.KINDS)}")
    return options


main()
