"""Directions in z along which one attribute of a picture changes (Kingma & Dhariwal 2018, section 6)."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file

from sextant.bundles.store import Bundle
from sextant.contract.errors import BundleRefused, InvalidRequest
from sextant.contract.violations import quoted
from sextant.families.flow.config import GlowNetworkConfig

FILE = "attributes.safetensors"
_FIELD = "conditions.attributes"
_MOST = 10.0

Directions = Mapping[str, NDArray[np.float32]]


def load_directions(bundle: Bundle, config: GlowNetworkConfig) -> Directions:
    """A direction float32[d] for each attribute of the manifest. Raises `BundleRefused` where the file differs."""
    if not config.attributes:
        return {}
    name = bundle.manifest.name
    try:
        directions: dict[str, NDArray[np.float32]] = load_file(bundle.file(FILE))
    except SafetensorError as error:
        raise BundleRefused(name, f"{FILE} cannot be read: {error}") from error
    if sorted(directions) != sorted(config.attributes):
        raise BundleRefused(name, f"{FILE} holds {', '.join(sorted(directions))}, not the manifest's attributes")
    for attribute, direction in directions.items():
        if direction.dtype != np.float32 or direction.shape != (config.latent_dim,) or not np.isfinite(direction).all():
            raise BundleRefused(name, f"{FILE}: {attribute} must be {config.latent_dim} finite float32")
    return directions


def read_move(attributes: Mapping[str, str], directions: Directions) -> NDArray[np.float32]:
    """The sum of the directions asked for, each times its number in -10 to 10: float32[d]. Raises `InvalidRequest`."""
    if not attributes:
        raise InvalidRequest(_FIELD, f"must give a number for at least one of {', '.join(directions)}")
    move = np.zeros_like(next(iter(directions.values())))
    for name in sorted(attributes):  # sums in one order, whatever the request's
        field = f"{_FIELD}[{quoted(name)}]"
        if name not in directions:
            raise InvalidRequest(field, f"must be one of {', '.join(directions)}")
        move += np.float32(_read_number(attributes[name], field)) * directions[name]
    return move


def _read_number(text: str, field: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = np.nan
    if not -_MOST <= number <= _MOST:
        raise InvalidRequest(field, f"must be a number from {-_MOST:g} to {_MOST:g}, not {quoted(text)!r}")
    return number
