"""Figures as they are measured, on their way into a manifest."""

from sextant.bundles.manifest import Measurement


class Figures:
    """Measurements as they come in."""

    def __init__(self) -> None:
        self.all: list[Measurement] = []

    def add(self, name: str, value: float, unit: str, conditions: str) -> None:
        """One more."""
        self.all.append(Measurement(name=name, value=float(value), unit=unit, conditions=conditions))
