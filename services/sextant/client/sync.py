"""The client for plain code."""

import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from types import TracebackType
from typing import Any, Self, Unpack, cast

import grpc
import numpy as np
from numpy.typing import NDArray

from sextant.client import answers, from_wire, lookups, requests
from sextant.client.collecting import Asking, Collected
from sextant.client.connection import DEFAULT_TARGET, Attempts, RetryPolicy, Tls, channel_options
from sextant.client.inputs import Content
from sextant.client.interrupts import interrupt_after
from sextant.client.replaying import STREAMED, Replayed, compared, digest_of, digests_of, pinned
from sextant.client.services import SERVICES, Services, is_serving
from sextant.client.stored import Keep
from sextant.contract.events import Likelihood
from sextant.contract.media import Latent, Media
from sextant.contract.tasks import TaskKind
from sextant.contract.v1 import generation_pb2, models_pb2, receipts_pb2


class EventStream(Collected):
    """The events of a stream; what they told is in the attributes. Leaving the iteration cancels the call."""

    def __init__(self, asking: Asking, retry: RetryPolicy, timeout: float | None) -> None:
        super().__init__(asking)
        self._retry, self._timeout = retry, timeout

    def __iter__(self) -> Iterator[Any]:
        """The events in order, as `answers.Event`. Raises `ClientError`."""
        return self.events()

    def events(self) -> Generator[answers.Event, None, None]:
        """The events in order. Raises `ClientError`."""
        with closing(self._messages()) as messages:
            for _, event in messages:
                if event is not None:
                    yield event

    def raw(self) -> Generator[generation_pb2.GenerateEvent, None, None]:
        """The same as they came on the wire."""
        with closing(self._messages()) as messages:
            for message, _ in messages:
                yield message

    def read(self) -> Self:
        """Read to the end, for what the attributes then hold."""
        for _ in self.events():
            pass
        return self

    def _messages(self) -> Generator[tuple[generation_pb2.GenerateEvent, answers.Event | None], None, None]:
        self.begin()
        attempts = Attempts(self._retry, self._timeout)
        begun = False
        while True:
            call = None
            try:
                with interrupt_after():
                    call = self._asking.start(attempts.time_left_s())
                while True:
                    with interrupt_after(call.cancel):
                        message = next(call, None)
                    if message is None:
                        return
                    begun = True
                    yield message, self.take(message)
            except grpc.RpcError as error:
                pause = attempts.pause_s(error, begun=begun)
            finally:
                if call is not None:
                    with interrupt_after():
                        call.cancel()
            time.sleep(pause)


class TextStream(EventStream):
    """A text as it is made: iterate for its pieces; then `text`, `answers`, `receipt`, `decision`."""

    def __iter__(self) -> Iterator[answers.TextPiece]:
        """The pieces, as they come. Raises `ClientError`."""
        return self.pieces()

    def pieces(self) -> Generator[answers.TextPiece, None, None]:
        """The pieces, as they come; closing the generator cancels the call."""
        with closing(self.events()) as events:
            for event in events:
                if isinstance(event, answers.TextPiece):
                    yield event


class Client:
    """A connection to a gateway. Close it, or use it in a `with` statement.

    Every method takes `timeout` (seconds, for the whole call with its retries) and the options of
    `requests.CallOptions`. All raise `ClientError`. `api_key` is shown with every call. `keep` is given each answer
    that came to its end, as what `replay` takes: the request, and the receipt with the digests.
    """

    def __init__(
        self,
        target: str = DEFAULT_TARGET,
        *,
        tls: Tls | None = None,
        api_key: str | None = None,
        keep: Keep | None = None,
        retry: RetryPolicy = RetryPolicy(),  # noqa: B008 - frozen
    ) -> None:
        self._retry, self._keep = retry, keep
        if tls is None:
            self._channel = grpc.insecure_channel(target, channel_options(target))
        else:
            self._channel = grpc.secure_channel(target, tls.credentials(), channel_options(target))
        self._services = Services(self._channel, api_key)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        with interrupt_after():
            self._channel.close()

    def generate_text(
        self, prompt: requests.Prompt, *, timeout: float | None = None, **options: Unpack[requests.TextOptions]
    ) -> TextStream:
        """Text after a prompt, or the answer to a conversation, streamed."""
        message = requests.text_request(prompt, options)
        return TextStream(self._asking("generate", message), self._retry, timeout)

    def generate(
        self,
        prompt: requests.Prompt | generation_pb2.GenerateRequest | None = None,
        *,
        timeout: float | None = None,
        **options: Unpack[requests.GenerateOptions],
    ) -> EventStream:
        """Anything new, streamed. A raw request says what the options cannot; it takes none of them."""
        if isinstance(prompt, generation_pb2.GenerateRequest):
            message = prompt
        else:
            message = requests.generate_request(prompt, options)
        return EventStream(self._asking("generate", message), self._retry, timeout)

    def transform(
        self, source: Content, *, timeout: float | None = None, **options: Unpack[requests.TransformOptions]
    ) -> EventStream:
        """Something made out of something given, streamed; a string is a text with blanks."""
        message = requests.transform_request(source, options)
        return EventStream(self._asking("transform", message), self._retry, timeout)

    def fill_mask(
        self,
        text: str,
        *,
        candidates: int | None = None,
        timeout: float | None = None,
        **options: Unpack[requests.CallOptions],
    ) -> answers.Answer:
        """The text with its blanks filled, and what else would fit."""
        given: requests.TransformOptions = {"candidates": candidates}
        given.update(cast(requests.TransformOptions, options))
        stream = self.transform(text, timeout=timeout, **given).read()
        return stream.only_answer()

    def interpolate(
        self,
        start: Content | None = None,
        end: Content | None = None,
        *,
        timeout: float | None = None,
        **options: Unpack[requests.InterpolateOptions],
    ) -> EventStream:
        """The frames of a path, each an answer as soon as it is ready; ends that are None are drawn from the seed."""
        message = requests.interpolate_request(start, end, options)
        return EventStream(self._asking("interpolate", message), self._retry, timeout)

    def encode(
        self, items: Iterable[Content], *, timeout: float | None = None, **options: Unpack[requests.EncodeOptions]
    ) -> answers.Listed[NDArray[np.floating]]:
        """A latent (an embedding, for texts) per item, float32 and read-only; with the receipt."""
        message = requests.encode_request(items, options)
        return from_wire.encoded(self._ask("encode", message, timeout))

    def latents(
        self, items: Iterable[Content], *, timeout: float | None = None, **options: Unpack[requests.EncodeOptions]
    ) -> answers.Listed[Latent]:
        """As `encode`, with the space of each and its variance where there is one: what `decode` takes."""
        message = requests.encode_request(items, options)
        return from_wire.latents(self._ask("encode", message, timeout))

    def encode_stream(
        self, items: Iterable[Content], *, timeout: float | None = None, **options: Unpack[requests.EncodeOptions]
    ) -> EventStream:
        """As `latents`, with the progress of models that encode in many steps; each latent is an answer."""
        message = requests.encode_request(items, options)
        return EventStream(self._asking("encode_stream", message), self._retry, timeout)

    def decode(
        self, latents: Iterable[Latent], *, timeout: float | None = None, **options: Unpack[requests.DecodeOptions]
    ) -> answers.Listed[Media]:
        """A medium per latent; with the receipt."""
        message = requests.decode_request(latents, options)
        return from_wire.decoded(self._ask("decode", message, timeout))

    def score(
        self,
        items: Iterable[Content],
        *,
        context: str = "",
        timeout: float | None = None,
        **options: Unpack[requests.ScoreOptions],
    ) -> answers.Listed[Likelihood]:
        """How likely each item is; texts token by token; with the receipt."""
        message = requests.score_request(items, context, options)
        return from_wire.scored(self._ask("score", message, timeout))

    def decide(
        self,
        task: TaskKind | str | None = None,
        *,
        timeout: float | None = None,
        **options: Unpack[lookups.DecideOptions],
    ) -> answers.Decided:
        """What the guide would choose, and why; `intent` may say in plain words what `task` would."""
        message = lookups.decide_request(task, options)
        return from_wire.decided(self._call(self._services.guide.Decide, message, timeout).decision)

    def models(self, *, timeout: float | None = None) -> list[answers.Served]:
        """What is served."""
        response = self._call(self._services.models.ListModels, models_pb2.ListModelsRequest(), timeout)
        return [from_wire.served(model) for model in response.models]

    def model(self, name: str, *, timeout: float | None = None) -> answers.Served:
        """One model."""
        response = self._call(self._services.models.GetModel, lookups.model_request(name), timeout)
        return from_wire.served(response.model)

    def serving(self, *, timeout: float | None = 5.0) -> bool:
        """Whether the gateway says that every model is warm."""
        return is_serving(self._call(self._services.health.Check, lookups.health_request(""), timeout))

    def health(self, *, timeout: float | None = 5.0) -> dict[str, bool]:
        """The same for each of its services, by their full names."""
        return {
            name: is_serving(self._call(self._services.health.Check, lookups.health_request(name), timeout))
            for name in SERVICES
        }

    def replay(self, answer: receipts_pb2.StoredAnswer, *, timeout: float | None = None) -> Replayed:
        """Ask again for what was answered before, and compare; `keep` is not told."""
        kind, message = pinned(answer)
        if kind not in STREAMED:
            response = self._call(self._services.asking(kind), message, timeout)
            return compared(answer, kind, digests_of(response), response.receipt)
        digests: dict[int, bytes] = {}
        receipt = generation_pb2.Receipt()
        for event in EventStream(Asking(self._services.asking(kind), message), self._retry, timeout).raw():
            if (told := digest_of(event)) is not None:
                digests[told[0]] = told[1]
            receipt = event.receipt
        return compared(answer, kind, digests, receipt)

    def _asking(self, kind: str, message: Any) -> Asking:
        return Asking(self._services.asking(kind), message, kind, self._keep)

    def _ask(self, kind: str, message: Any, timeout: float | None) -> Any:
        response = self._call(self._services.asking(kind), message, timeout)
        self._asking(kind, message).ended(response.receipt)
        return response

    def _call(self, method: Callable[..., Any], message: Any, timeout: float | None) -> Any:
        attempts = Attempts(self._retry, timeout)
        while True:
            try:
                return method(message, timeout=attempts.time_left_s())
            except grpc.RpcError as error:
                pause = attempts.pause_s(error)
            time.sleep(pause)
