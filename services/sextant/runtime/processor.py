"""Which processor this is: what networks compute may differ between two in the last bits."""

import platform
from functools import cache
from pathlib import Path


@cache
def processor_name() -> str:
    """Architecture and model, as in "x86_64 Intel(R) Xeon(R) Platinum 8481C", as far as they are told."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return f"{platform.machine()} {next(models, platform.processor())}".strip()
