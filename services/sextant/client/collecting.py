"""What a stream has told so far; both clients' streams are this plus their way of waiting."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import grpc
import PIL.Image

from sextant.client import answers, from_wire
from sextant.client.errors import ServerError, reading
from sextant.client.stored import Keep, stored
from sextant.contract.media import Media, Text
from sextant.contract.v1 import generation_pb2


@dataclass(frozen=True, slots=True)
class Asking:
    """A request on its way: the method that it goes to, and what becomes of its receipt."""

    method: Callable[..., Any]
    message: Any
    kind: str = ""
    keep: Keep | None = None

    def start(self, timeout: float | None) -> Any:
        """gRPC's call."""
        return self.method(self.message, timeout=timeout)

    def ended(self, receipt: generation_pb2.Receipt) -> None:
        """The answer is whole."""
        if self.keep is not None:
            self.keep(stored(self.kind, self.message, receipt))


class Collected:
    """Reads events as they come, and keeps what they told."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking
        self.request_id = ""
        self.seed = 0
        self.decision: answers.Decided | None = None
        self.answers: dict[int, answers.Answer] = {}
        self.receipt: answers.Receipt | None = None
        self._pieces: dict[int, list[str]] = defaultdict(list)
        self._begun = False

    @property
    def text(self) -> str:
        """The text of the first item, as far as it has come; "" before, and where it is no text."""
        first = self.answers.get(0)
        if first is not None and isinstance(first.media, Text):
            return first.media.content
        return "".join(self._pieces.get(0, ()))

    @property
    def media(self) -> list[Media]:
        """The items that have come, in their order."""
        return [self.answers[item].media for item in sorted(self.answers)]

    @property
    def pictures(self) -> list[PIL.Image.Image]:
        """The same as Pillow's pictures. TypeError where one is none."""
        return [answers.as_picture(media) for media in self.media]

    def only_answer(self) -> answers.Answer:
        """The first item. `ServerError` where the stream ended without it."""
        if 0 not in self.answers:
            raise ServerError("the stream ended without a result", grpc.StatusCode.INTERNAL, request_id=self.request_id)
        return self.answers[0]

    def begin(self) -> None:
        """A stream is one call and can be read once: RuntimeError for a second time."""
        if self._begun:
            raise RuntimeError("this stream was read already; make a new request")
        self._begun = True

    def take(self, message: generation_pb2.GenerateEvent) -> answers.Event | None:
        """Enter one event and return it; None for a kind that this client does not know."""
        with reading():
            event = from_wire.event(message)
        match event:
            case answers.Accepted():
                self.request_id, self.seed, self.decision = event.request_id, event.seed, event.decision
            case answers.TextPiece():
                self._pieces[event.item].append(event.text)
            case answers.Answer():
                self.answers[event.item] = event
            case answers.Receipt():
                self.receipt = event
                self._asking.ended(message.receipt)
        return event
