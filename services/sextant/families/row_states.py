"""States whose steps are rows of a network's call: how they share one, whatever each of them is about."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sextant.bundles.store import Bundle
from sextant.contract.errors import BundleRefused
from sextant.contract.events import Result
from sextant.contract.media import Media
from sextant.families.row_network import RowNetwork
from sextant.runtime.session import SessionConfig

Rows = Mapping[str, NDArray[Any]]
Shapes = Mapping[str, tuple[int, ...]]


class RowState(Protocol):
    """A state, see `runtime.sampler.SamplerState`, that says what it wants of which network."""

    done: bool
    steps_done: int
    steps_total: int

    @property
    def network(self) -> str:
        """The network of the next call, by name; states of one network share a call."""
        ...

    def inputs(self) -> Rows:
        """The rows of the next call, one or more, by input."""
        ...

    def take(self, outputs: Rows) -> None:
        """What the network made of the rows, by output; views into what all states share. One step is done then."""
        ...

    def result(self) -> Result:
        """The item, once `done`."""
        ...


def step_together(networks: Mapping[str, RowNetwork], states: Sequence[RowState]) -> None:
    """Advances all states, which want the same network, by one step in one call of it."""
    network = networks[states[0].network]
    given = [state.inputs() for state in states]
    alone = len(given) == 1
    outputs = network.run(given[0] if alone else {n: np.concatenate([one[n] for one in given]) for n in given[0]})
    first = 0
    for state, inputs in zip(states, given, strict=True):
        last = first + len(next(iter(inputs.values())))
        state.take({name: output[first:last] for name, output in outputs.items()})
        first = last


class RowSampler:
    """What all samplers of row states do alike; see `runtime.sampler.Sampler`."""

    _networks: Mapping[str, RowNetwork]

    def group(self, state: RowState) -> Hashable:
        """Who wants the same network goes together."""
        return state.network

    def step(self, states: Sequence[RowState]) -> None:
        """One call of a network."""
        step_together(self._networks, states)

    def delta(self, state: RowState) -> None:
        """None: there is nothing to stream."""
        return

    def preview(self, state: RowState) -> Media | None:
        """None, but for states that come nearer step by step."""
        return None

    def partial(self, state: RowState) -> Result | None:
        """None, but for states that come nearer step by step."""
        return None

    def result(self, state: RowState) -> Result:
        """The item."""
        return state.result()

    def release(self, state: RowState) -> None:
        """Nothing to free: a state holds only its own arrays."""


def open_network(
    bundle: Bundle, file: str, config: SessionConfig, inputs: Shapes, outputs: Shapes, fewest_rows: int = 2
) -> RowNetwork:
    """The network in `file`, whose inputs and outputs have these names and shapes of a row.

    `BundleRefused` where they have not; an axis whose length the file does not say may have any. `fewest_rows` is
    `RowNetwork`'s.
    """
    network = RowNetwork(bundle.file(file), config, fewest_rows)
    if not _fit(network.inputs, inputs):
        _refuse(bundle, f"{file} takes {_listed(network.inputs)}; its manifest wants {_listed(inputs)}")
    if not _fit(network.outputs, outputs):
        _refuse(bundle, f"{file} makes {_listed(network.outputs)}; its manifest wants {_listed(outputs)}")
    return network


def _fit(found: Shapes, wanted: Shapes) -> bool:
    return found.keys() == wanted.keys() and all(
        len(found[name]) == len(shape) and all(a in (0, b) for a, b in zip(found[name], shape, strict=True))
        for name, shape in wanted.items()
    )


def _refuse(bundle: Bundle, reason: str) -> None:
    raise BundleRefused(bundle.manifest.name, reason)


def _listed(shapes: Shapes) -> str:
    return ", ".join(f"{name}{list(shape)}" for name, shape in shapes.items())
