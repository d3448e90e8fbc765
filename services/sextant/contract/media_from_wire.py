"""Media messages as the media used inside. The gateway reads requests with it, the client reads answers."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sextant.contract import media
from sextant.contract.codecs import (
    DecodeBudget,
    array_from_bytes,
    audio_from_pcm,
    check_midi,
    decode_audio,
    decode_image,
    detect_audio_format,
    detect_image_format,
    image_from_raw,
)
from sextant.contract.errors import InvalidRequest
from sextant.contract.v1 import media_pb2
from sextant.contract.wire_enums import AUDIO_FORMAT_FROM_WIRE, ELEMENT_TYPE_FROM_WIRE, IMAGE_FORMAT_FROM_WIRE


def read_media(message: media_pb2.Media, field: str = "media", budget: DecodeBudget | None = None) -> media.Media:
    """The content of `message`; `InvalidRequest` naming the field that is wrong, `field` being its own path."""
    kind = message.WhichOneof("kind")
    path = f"{field}.{kind}"
    match kind:
        case "text":
            return media.Text(message.text.content)
        case "image":
            return read_image(message.image, path, budget)
        case "audio":
            return read_audio(message.audio, path, budget)
        case "music":
            check_midi(message.music.midi, path)
            return media.Music(message.music.midi)
        case "table":
            return read_table(message.table, path)
        case "latent":
            return read_latent(message.latent, path)
        case "tensor":
            return media.Tensor(read_array(message.tensor, path))
    raise InvalidRequest(field, "is empty: set text, image, audio, music, table, latent or tensor")


def read_image(message: media_pb2.Image, field: str = "image", budget: DecodeBudget | None = None) -> media.Image:
    """A picture in any of our formats, which is told from the bytes where `format` does not say."""
    if message.format == media_pb2.IMAGE_FORMAT_RAW_UINT8:
        return image_from_raw(message.data, message.width_px, message.height_px, message.channels, field)
    stated, found = IMAGE_FORMAT_FROM_WIRE.get(message.format), detect_image_format(message.data)
    if message.format and found and stated is not found:
        raise InvalidRequest(f"{field}.format", f"the data is a {found.upper()} file")
    return decode_image(message.data, field, budget)


def read_audio(message: media_pb2.Audio, field: str = "audio", budget: DecodeBudget | None = None) -> media.Audio:
    """A sound in any of our formats, which is told from the bytes where `format` does not say."""
    if message.format == media_pb2.AUDIO_FORMAT_PCM_S16LE:
        return audio_from_pcm(message.data, message.sample_rate_hz, message.channels, field)
    stated, found = AUDIO_FORMAT_FROM_WIRE.get(message.format), detect_audio_format(message.data)
    if message.format and found and stated is not found:
        raise InvalidRequest(f"{field}.format", f"the data is a {found.upper()} file")
    return decode_audio(message.data, field, budget)


def read_array(message: media_pb2.Tensor, field: str = "tensor") -> NDArray[Any]:
    """A tensor's array: read-only, on the bytes of the message."""
    element_type = ELEMENT_TYPE_FROM_WIRE.get(message.element_type)
    if element_type is None:
        raise InvalidRequest(f"{field}.element_type", "must be one of the listed types")
    return array_from_bytes(message.data, element_type, message.shape, field)


def read_table(message: media_pb2.Table, field: str = "table") -> media.Table:
    """A table: values[rows, columns] of a floating type, column names unique."""
    values = _read_floats(message.values, f"{field}.values")
    columns = tuple(message.columns)
    if values.ndim != 2 or values.shape[1] != len(columns):
        wanted = f"[rows, {len(columns)}], as there are {len(columns)} columns"
        raise InvalidRequest(f"{field}.values.shape", f"must be {wanted}, not {list(values.shape)}")
    if len(set(columns)) != len(columns):
        raise InvalidRequest(f"{field}.columns", "must be unique")
    return media.Table(columns, values)


def read_latent(message: media_pb2.Latent, field: str = "latent") -> media.Latent:
    """A latent with the id of its space; a variance has the shape of the mean and is nowhere negative."""
    if not message.space:
        raise InvalidRequest(f"{field}.space", "must name a latent space")
    mean = _read_floats(message.mean, f"{field}.mean")
    if not message.HasField("variance"):
        return media.Latent(message.space, mean)
    variance = _read_floats(message.variance, f"{field}.variance")
    if variance.shape != mean.shape:
        raise InvalidRequest(f"{field}.variance.shape", f"is {list(variance.shape)}; the mean's {list(mean.shape)}")
    if (variance < 0).any():
        raise InvalidRequest(f"{field}.variance.data", "must not be negative")
    return media.Latent(message.space, mean, variance)


def _read_floats(message: media_pb2.Tensor, field: str) -> NDArray[np.floating]:
    array = read_array(message, field)
    if not np.issubdtype(array.dtype, np.floating):
        raise InvalidRequest(f"{field}.element_type", f"must be a floating type, not {array.dtype.name}")
    return array
