"""The decision guide: how long a decision takes, whether deadlines are kept and used, whether load is evaded, and
whether plain words are understood. Each part is a module of its own beside this one; pictures go into docs/samples."""

from typing import Any

from bench import guide_deadlines, guide_decisions, guide_intents, guide_load

_PARTS = {
    "decisions": guide_decisions,
    "intents": guide_intents,
    "deadlines": guide_deadlines,
    "load": guide_load,
}


def measure() -> dict[str, Any]:
    """All parts, by name."""
    return {name: part.measure() for name, part in _PARTS.items()}


def table(found: dict[str, Any]) -> str:
    """The figures as Markdown."""
    return "\n\n".join(f"### {name}\n\n{part.table(found[name])}" for name, part in _PARTS.items())
