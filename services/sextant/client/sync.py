"""The client for plain code."""

import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from types import TracebackType
from typing import Any, Self, Unpack

import grpc
import numpy as np
from grpc_health.v1 import health_pb2, health_pb2_grpc
from numpy.typing import NDArray

from sextant.client import answers, requests
from sextant.client.collecting import Collected
from sextant.client.connection import CHANNEL_OPTIONS, DEFAULT_TARGET, RetryPolicy, Tls
from sextant.client.errors import from_grpc
from sextant.contract.events import Likelihood
from sextant.contract.media import Media, Modality
from sextant.contract.media_from_wire import read_latent
from sextant.contract.tasks import ChatMessage, TaskKind
from sextant.contract.v1 import generation_pb2, generation_pb2_grpc, guide_pb2_grpc, models_pb2, models_pb2_grpc


class EventStream(Collected):
    """The raw events of a stream; what they told is in the attributes. Leaving the iteration cancels the call."""

    def __init__(self, start: Callable[[float | None], Any], retry: RetryPolicy, timeout: float | None) -> None:
        super().__init__()
        self._start, self._retry, self._timeout = start, retry, timeout

    def __iter__(self) -> Iterator[generation_pb2.GenerateEvent]:
        """Events in order. Raises `ClientError`."""
        return self.events()

    def events(self) -> Generator[generation_pb2.GenerateEvent, None, None]:
        """The raw events."""
        deadline = None if self._timeout is None else time.monotonic() + self._timeout
        attempt = 0
        while True:
            attempt += 1
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            call = self._start(left)
            begun = False
            try:
                for event in call:
                    begun = True
                    self.take(event)
                    yield event
                return
            except grpc.RpcError as error:
                typed = from_grpc(error)
                pause = None if begun else self._retry.pause_s(typed, attempt, left)
                if pause is None:
                    raise typed from error
                time.sleep(pause)
            finally:
                call.cancel()


class TextStream(EventStream):
    """A text as it is made: iterate for its pieces; then `text`, `answers`, `receipt`, `decision`."""

    def __iter__(self) -> Iterator[answers.TextPiece]:  # type: ignore[override]
        """The pieces, as they come."""
        return self.pieces()

    def pieces(self) -> Generator[answers.TextPiece, None, None]:
        """The pieces, as they come."""
        with closing(self.events()) as events:
            for event in events:
                if event.WhichOneof("event") == "chunk" and event.chunk.WhichOneof("kind") == "text":
                    yield answers.piece(event.chunk)


class Client:
    """A connection to a gateway. Close it, or use it in a `with` statement.

    Every method takes `timeout` (seconds, for the whole call with its retries) and the options of
    `requests.CallOptions`. All raise `ClientError`.
    """

    def __init__(
        self,
        target: str = DEFAULT_TARGET,
        *,
        tls: Tls | None = None,
        retry: RetryPolicy = RetryPolicy(),  # noqa: B008 - frozen
    ) -> None:
        self._retry = retry
        if tls is None:
            self._channel = grpc.insecure_channel(target, CHANNEL_OPTIONS)
        else:
            self._channel = grpc.secure_channel(target, tls.credentials(), CHANNEL_OPTIONS)
        self._generation = generation_pb2_grpc.GenerationStub(self._channel)
        self._guide = guide_pb2_grpc.GuideStub(self._channel)
        self._models = models_pb2_grpc.ModelsStub(self._channel)
        self._health = health_pb2_grpc.HealthStub(self._channel)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._channel.close()

    def generate_text(
        self,
        prompt: str | Sequence[ChatMessage],
        *,
        timeout: float | None = None,
        **options: Unpack[requests.TextOptions],
    ) -> TextStream:
        """Text after a prompt, or the answer to a conversation, streamed."""
        message = requests.text_request(prompt, options)
        return TextStream(lambda left: self._generation.Generate(message, timeout=left), self._retry, timeout)

    def generate(self, request: generation_pb2.GenerateRequest, *, timeout: float | None = None) -> EventStream:
        """Anything that the contract can say, as raw events."""
        return EventStream(lambda left: self._generation.Generate(request, timeout=left), self._retry, timeout)

    def fill_mask(
        self,
        text: str,
        *,
        candidates: int | None = None,
        timeout: float | None = None,
        **options: Unpack[requests.CallOptions],
    ) -> answers.Answer:
        """The text with its blanks filled, and what else would fit."""
        message = requests.transform_request(text, candidates, options)
        stream = EventStream(lambda left: self._generation.Transform(message, timeout=left), self._retry, timeout)
        for _ in stream:
            pass
        return stream.answers[0]

    def encode(
        self, items: Iterable[Media | str], *, timeout: float | None = None, **options: Unpack[requests.CallOptions]
    ) -> list[NDArray[np.floating]]:
        """A latent (an embedding, for texts) per item, float32."""
        message = requests.encode_request(items, options)
        response = self._call(self._generation.Encode, message, timeout)
        return [read_latent(latent, "latent").mean for latent in response.latents]

    def score(
        self,
        items: Iterable[Media | str],
        *,
        context: str = "",
        timeout: float | None = None,
        **options: Unpack[requests.CallOptions],
    ) -> list[Likelihood]:
        """How likely each item is; texts token by token."""
        message = requests.score_request(items, context, options)
        response = self._call(self._generation.Score, message, timeout)
        return [answers.likelihood(likelihood) for likelihood in response.likelihoods]

    def decide(
        self,
        task: TaskKind | str,
        *,
        input: Modality | str | None = None,  # noqa: A002 - the contract's name
        output: Modality | str | None = None,
        deadline_s: float = 0.0,
        timeout: float | None = None,
        **options: Unpack[requests.CallOptions],
    ) -> answers.Decided:
        """What the guide would choose, and why."""
        message = requests.decide_request(task, input, output, deadline_s, options)
        return answers.decided(self._call(self._guide.Decide, message, timeout).decision)

    def models(self, *, timeout: float | None = None) -> list[answers.Served]:
        """What is served."""
        response = self._call(self._models.ListModels, models_pb2.ListModelsRequest(), timeout)
        return [answers.served(model) for model in response.models]

    def model(self, name: str, *, timeout: float | None = None) -> answers.Served:
        """One model."""
        response = self._call(self._models.GetModel, models_pb2.GetModelRequest(name=name), timeout)
        return answers.served(response.model)

    def serving(self, *, timeout: float | None = 5.0) -> bool:
        """Whether the gateway says that every model is warm."""
        response = self._call(self._health.Check, health_pb2.HealthCheckRequest(), timeout)
        return bool(response.status == health_pb2.HealthCheckResponse.SERVING)

    def _call(self, method: Callable[..., Any], message: Any, timeout: float | None) -> Any:
        deadline = None if timeout is None else time.monotonic() + timeout
        attempt = 0
        while True:
            attempt += 1
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            try:
                return method(message, timeout=left)
            except grpc.RpcError as error:
                typed = from_grpc(error)
                pause = self._retry.pause_s(typed, attempt, left)
                if pause is None:
                    raise typed from error
                time.sleep(pause)
