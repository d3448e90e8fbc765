"""The media of one request, read under the rules that hold for requests but not for answers.

A request's content must be there to be worked on, finite, and within one budget for all of it together.
"""

from collections.abc import Sequence

import numpy as np

from sextant.contract import media
from sextant.contract.codecs import DecodeBudget
from sextant.contract.errors import InvalidRequest
from sextant.contract.media_from_wire import read_image, read_latent, read_media
from sextant.contract.tasks import Conditions
from sextant.contract.v1 import generation_pb2, media_pb2
from sextant.contract.violations import Violations

MOST_ITEMS = 256


class RequestMedia:
    """Reads the media of one request, adding to `found` what is wrong with each."""

    def __init__(self, found: Violations) -> None:
        self._found = found
        self._budget = DecodeBudget()

    def medium(self, message: media_pb2.Media, field: str) -> media.Media | None:
        """The content of `message`, or None and a violation."""
        with self._found.catching():
            content = read_media(message, field, self._budget)
            _check_content(content, f"{field}.{message.WhichOneof('kind')}")
            return content
        return None

    def mask(self, message: media_pb2.Image, field: str) -> media.Image | None:
        """The picture in `message`, or None and a violation."""
        with self._found.catching():
            return read_image(message, field, self._budget)
        return None

    def items(self, messages: Sequence[media_pb2.Media], field: str) -> tuple[media.Media, ...]:
        """1 to 256 media of one modality."""
        if not self._is_countable(messages, field):
            return ()
        first = messages[0].WhichOneof("kind")
        for index, message in enumerate(messages):
            kind = message.WhichOneof("kind")
            if kind and first and kind != first:
                self._found.add(f"{field}[{index}]", f"is of kind {kind}, and the first of kind {first}")
        read = [self.medium(message, f"{field}[{index}]") for index, message in enumerate(messages)]
        return tuple(medium for medium in read if medium is not None)

    def latents(self, messages: Sequence[media_pb2.Latent], field: str) -> tuple[media.Latent, ...]:
        """1 to 256 latents of one space."""
        if not self._is_countable(messages, field):
            return ()
        read: list[media.Latent] = []
        for index, message in enumerate(messages):
            path = f"{field}[{index}]"
            if message.space != messages[0].space:
                self._found.add(f"{path}.space", "is not the space of the first")
            with self._found.catching():
                latent = read_latent(message, path)
                _check_content(latent, path)
                read.append(latent)
        return tuple(read)

    def conditions(self, message: generation_pb2.Conditions) -> Conditions:
        """The conditions of the request, with those of their media that could be read; 256 media at most."""
        if len(message.media) > MOST_ITEMS:
            self._found.add("conditions.media", f"must be at most {MOST_ITEMS}, not {len(message.media)}")
            return Conditions()
        read = (self.medium(medium, f"conditions.media[{index}]") for index, medium in enumerate(message.media))
        return Conditions(
            class_label=message.class_label,
            attributes=dict(message.attributes),
            media=tuple(medium for medium in read if medium is not None),
        )

    def _is_countable(self, messages: Sequence[object], field: str) -> bool:
        if 1 <= len(messages) <= MOST_ITEMS:
            return True
        self._found.add(field, f"must be 1 to {MOST_ITEMS}, not {len(messages)}")
        return False


def _check_content(content: media.Media, path: str) -> None:
    match content:
        case media.Text(content=""):
            raise InvalidRequest(f"{path}.content", "must not be empty")
        case media.Audio(samples=samples) if not len(samples):
            raise InvalidRequest(f"{path}.data", "must not be empty")
        case media.Table(values=values):
            _check_array(values, f"{path}.values")
        case media.Latent(mean=mean, variance=variance):
            _check_array(mean, f"{path}.mean")
            if variance is not None:
                _check_array(variance, f"{path}.variance")
        case media.Tensor(array=array):
            _check_array(array, path)


def _check_array(array: np.ndarray[tuple[int, ...], np.dtype[np.generic]], path: str) -> None:
    if not array.size:
        raise InvalidRequest(f"{path}.shape", "must hold at least one element")
    if np.issubdtype(array.dtype, np.floating) and not np.isfinite(array).all():
        raise InvalidRequest(f"{path}.data", "must hold finite numbers only")
