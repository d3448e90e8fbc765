"""A network whose rows know nothing of each other: what every one-step family calls.

ONNX Runtime takes other kernels for one row than for several, and those may round differently. So a lone row is
run twice over, and its result taken once: a row's bytes are then the same alone or among others, which the tests
check for every bundle that ships. Who calls again and again may hand a row in twice, to spare the copies; a network
that never multiplies by a single row, whatever it is given, needs none of this.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sextant.runtime.session import SessionConfig, open_session

_FEWEST_ROWS = 2


class RowNetwork:
    """The ONNX file at `path`; the first axis of all inputs and outputs counts rows, which are at least `fewest`."""

    def __init__(self, path: Path, config: SessionConfig, fewest: int = _FEWEST_ROWS) -> None:
        self._session, self._fewest = open_session(path, config), fewest
        self.inputs: dict[str, tuple[int, ...]] = {i.name: _row_shape(i.shape) for i in self._session.get_inputs()}
        self.outputs: dict[str, tuple[int, ...]] = {o.name: _row_shape(o.shape) for o in self._session.get_outputs()}

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """All outputs by name, row for row."""
        rows = len(next(iter(inputs.values())))
        fed = {name: self._enough(np.ascontiguousarray(array)) for name, array in inputs.items()}
        outputs = self._session.run(None, fed)
        return {name: output[:rows] for name, output in zip(self.outputs, outputs, strict=True)}

    def _enough(self, array: NDArray[Any]) -> NDArray[Any]:
        return array if len(array) >= self._fewest else np.repeat(array, self._fewest, axis=0)


def _row_shape(shape: list[int | str]) -> tuple[int, ...]:
    """The shape of one row; 0 for an axis of any length."""
    return tuple(axis if isinstance(axis, int) else 0 for axis in shape[1:])
