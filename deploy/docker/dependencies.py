#!/usr/bin/env python3
"""Prints what pyproject.toml requires, or what one of its extras does: a layer of its own, kept while code changes."""

import sys
import tomllib
from pathlib import Path

project = tomllib.loads(Path(sys.argv[1]).read_text())["project"]
wanted = project["optional-dependencies"][sys.argv[2]] if len(sys.argv) > 2 else project["dependencies"]
print("\n".join(wanted))
