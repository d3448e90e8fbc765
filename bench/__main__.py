"""`python -m bench [SECTION ...]`: measure, print Markdown, keep the figures in results/latest.json."""

import json
import platform
import sys
from pathlib import Path
from typing import Any

import psutil

from bench import guide, hybrids, overhead, pictures, steps, text

_SECTIONS = {
    "text": text,
    "pictures": pictures,
    "steps": steps,
    "hybrids": hybrids,
    "overhead": overhead,
    "guide": guide,
}
_RESULTS = Path(__file__).parent / "results" / "latest.json"


def main(names: list[str]) -> None:
    """Run the named sections, or all."""
    found: dict[str, Any] = json.loads(_RESULTS.read_text()) if _RESULTS.exists() else {}
    found["machine"] = {
        "cores": psutil.cpu_count(logical=True),
        "architecture": platform.machine(),
        "python": platform.python_version(),
        "load_before": psutil.getloadavg()[0],
    }
    for name in names or _SECTIONS:
        section = _SECTIONS[name]
        measured = section.measure()
        print(f"## {name}\n\n{section.table(measured)}\n", flush=True)
        found[name] = measured
    _RESULTS.parent.mkdir(exist_ok=True)
    _RESULTS.write_text(json.dumps(found, indent=2) + "\n")


main(sys.argv[1:])
