"""What a caller may give as content, and the message that it becomes."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from sextant.client.errors import invalid
from sextant.client.fields import blaming
from sextant.contract.codecs import detect_audio_format, detect_image_format, image_from_pillow
from sextant.contract.media import Image, Media, Tensor, Text
from sextant.contract.to_wire import media_message
from sextant.contract.v1 import media_pb2
from sextant.contract.wire_enums import AUDIO_FORMAT_TO_WIRE, IMAGE_FORMAT_TO_WIRE

# A string is a text. Bytes are a whole file: PNG, WebP, JPEG, WAV, FLAC or MIDI; a path names one. A NumPy array
# uint8[height, width] or [height, width, 1, 3 or 4] is a picture, any other a tensor.
Content = Media | str | bytes | Path | PIL.Image.Image | NDArray[Any]

_MIDI = b"MThd"


def medium(content: Content, field: str) -> media_pb2.Media:
    """The message of `content`. `InvalidArgument`, naming `field`, where it can be none."""
    with blaming(field):
        if isinstance(content, str):
            return media_message(Text(content))
        if isinstance(content, bytes):
            return _file(content)
        if isinstance(content, Path):
            return _file(_read(content, field))
        if isinstance(content, PIL.Image.Image):
            return media_message(image_from_pillow(content))
        if isinstance(content, np.ndarray):
            return media_message(_array(content))
        if isinstance(content, Media):
            return media_message(content)
        raise TypeError(f"cannot be a {type(content).__name__}")


def media_of(contents: Iterable[Content], field: str) -> list[media_pb2.Media]:
    """A message for each; a single content in place of several is refused, as its letters or rows would be taken."""
    if isinstance(contents, str | bytes | Path | PIL.Image.Image):
        raise invalid(field, f"must be several, in a list for example, not one {type(contents).__name__}")
    return [medium(content, f"{field}[{index}]") for index, content in enumerate(contents)]


def picture(content: Content, field: str) -> media_pb2.Image:
    """The message of something that must be a picture."""
    message = medium(content, field)
    if message.WhichOneof("kind") != "image":
        raise invalid(field, f"must be a picture, not {message.WhichOneof('kind')}")
    return message.image


def _read(path: Path, field: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise invalid(field, f"{path}: {error.strerror}") from error


def _file(data: bytes) -> media_pb2.Media:
    """A file as it is; the server decodes it."""
    if (image_format := detect_image_format(data)) is not None:
        return media_pb2.Media(image=media_pb2.Image(format=IMAGE_FORMAT_TO_WIRE[image_format], data=data))
    if (audio_format := detect_audio_format(data)) is not None:
        return media_pb2.Media(audio=media_pb2.Audio(format=AUDIO_FORMAT_TO_WIRE[audio_format], data=data))
    if data.startswith(_MIDI):
        return media_pb2.Media(music=media_pb2.Music(midi=data))
    raise ValueError("is not a PNG, WebP, JPEG, WAV, FLAC or MIDI file")


def _array(array: NDArray[Any]) -> Image | Tensor:
    if array.dtype == np.uint8 and array.ndim == 2:
        return Image(array[:, :, None])
    if array.dtype == np.uint8 and array.ndim == 3 and array.shape[2] in (1, 3, 4):
        return Image(array)
    return Tensor(array)
