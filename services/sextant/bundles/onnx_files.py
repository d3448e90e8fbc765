"""Whether an ONNX file of a bundle is whole and stays inside the bundle."""

import posixpath
from collections.abc import Iterator
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError, Message

from sextant.bundles.manifest import Manifest
from sextant.contract.errors import BundleRefused


def check_onnx(directory: Path, listed: str, manifest: Manifest) -> set[str]:
    """The external data that the ONNX file `listed` refers to, as paths listed in the manifest.

    Raises `BundleRefused` where it does not parse, lacks what a whole model has, or refers to data outside the
    bundle, unlisted, or beyond the end of their file. A matching sha256 does not prove any of these: whoever
    wrote a damaged file may have hashed it as well.
    """
    name = manifest.name
    model = onnx.ModelProto()
    try:
        model.ParseFromString((directory / listed).read_bytes())
    except DecodeError as error:
        raise BundleRefused(name, f"{listed} is truncated or not an ONNX model") from error
    graph = model.graph
    if not (model.ir_version and model.opset_import and graph.node and graph.output):
        raise BundleRefused(name, f"{listed} is not a whole ONNX model")
    referred: set[str] = set()
    for tensor in _tensors(model):
        if tensor.data_location == onnx.TensorProto.EXTERNAL or tensor.external_data:
            referred.add(_check_external(tensor, listed, manifest))
    root = directory.resolve()
    if referred and (root / listed).resolve() != root / listed:
        # The data would be looked for beside what the link leads to: not the files that were checked.
        raise BundleRefused(name, f"{listed} takes data from other files, so it must not be behind a link")
    return referred


def _check_external(tensor: onnx.TensorProto, listed: str, manifest: Manifest) -> str:
    name = manifest.name
    entries = {entry.key: entry.value for entry in tensor.external_data}
    location = entries.get("location", "")
    path = posixpath.normpath(posixpath.join(posixpath.dirname(listed), location))
    if not location or "\\" in location or posixpath.isabs(path) or path.split("/")[0] == "..":
        raise BundleRefused(name, f"{listed} takes data from {location!r}, outside the bundle")
    if path not in manifest.files:
        raise BundleRefused(name, f"{listed} takes data from {location!r}, which the manifest does not list")
    try:
        offset, length = int(entries.get("offset", 0)), int(entries.get("length", 0))
    except ValueError as error:
        raise BundleRefused(name, f"{listed} has an external tensor without a proper place in {location!r}") from error
    if offset < 0 or length < 0 or offset + length > manifest.files[path].bytes:
        raise BundleRefused(name, f"{listed} takes data from beyond the end of {location!r}")
    return path


def _tensors(message: Message) -> Iterator[onnx.TensorProto]:
    """Every tensor anywhere in a model: initialisers, attributes, sub-graphs, functions, training graphs.

    A walk over all fields rather than over those known today, so that no place to hide a tensor is forgotten.
    Its depth is bounded: the protobuf parser refuses nesting beyond 100.
    """
    if isinstance(message, onnx.TensorProto):
        yield message
        return
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        for child in value if field.is_repeated else (value,):
            yield from _tensors(child)
