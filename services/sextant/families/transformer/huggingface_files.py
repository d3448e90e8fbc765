"""The files of a Hugging Face directory: JSON, and safetensors (sharded or not)."""

import json
from pathlib import Path
from typing import Any

import ml_dtypes  # noqa: F401 - registers bfloat16 with NumPy, which `safetensors` needs to read it
import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from sextant.contract.errors import BundleRefused


def read_tensors(directory: Path, bundle: str) -> dict[str, NDArray[np.float32]]:
    """Every tensor of every safetensors file in the directory, as float32. Raises `BundleRefused`."""
    tensors: dict[str, NDArray[np.float32]] = {}
    for path in sorted(directory.glob("*.safetensors")):
        try:
            with safe_open(path, "np") as file:
                for name in file.keys():  # noqa: SIM118 - not a mapping
                    tensors[name] = np.asarray(file.get_tensor(name)).astype(np.float32, copy=False)
        except (SafetensorError, OSError, TypeError) as error:
            raise BundleRefused(bundle, f"{path.name} cannot be read: {error}") from error
    return tensors


def read_object(path: Path, bundle: str, *, required: bool = True) -> dict[str, Any]:
    """The JSON object in a file; {} where it is missing and not required. Raises `BundleRefused`."""
    content = read_json(path, bundle, required=required)
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise BundleRefused(bundle, f"{path.name} is not a JSON object")
    return content


def read_json(path: Path, bundle: str, *, required: bool = True) -> Any:
    """The JSON in a file; None where it is missing and not required. Raises `BundleRefused`."""
    if not path.is_file():
        if required:
            raise BundleRefused(bundle, f"{path.parent.name} lacks {path.name}")
        return None
    try:
        return json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise BundleRefused(bundle, f"{path.name} is not JSON: {error}") from error


def must_be(content: dict[str, Any], key: str, supported: tuple[Any, ...], bundle: str, *, file: str) -> None:
    """Refuse a config whose `key` is there and says something that we do not compute."""
    value = content.get(key, supported[0])
    if value not in supported:
        raise BundleRefused(bundle, f"{file}: {key} = {value!r} is not supported")
