"""The client for asyncio code: `sync` with `await`. A test holds the two to the same methods and arguments."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Sequence
from contextlib import aclosing
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


class AsyncEventStream(Collected):
    """See `sync.EventStream`."""

    def __init__(self, start: Callable[[float | None], Any], retry: RetryPolicy, timeout: float | None) -> None:
        super().__init__()
        self._start, self._retry, self._timeout = start, retry, timeout

    def __aiter__(self) -> AsyncIterator[generation_pb2.GenerateEvent]:
        """Events in order. Raises `ClientError`."""
        return self.events()

    async def events(self) -> AsyncGenerator[generation_pb2.GenerateEvent, None]:
        """The raw events."""
        loop = asyncio.get_running_loop()
        deadline = None if self._timeout is None else loop.time() + self._timeout
        attempt = 0
        while True:
            attempt += 1
            left = None if deadline is None else max(0.0, deadline - loop.time())
            call = self._start(left)
            begun = False
            try:
                async for event in call:
                    begun = True
                    self.take(event)
                    yield event
                return
            except grpc.RpcError as error:
                typed = from_grpc(error)
                pause = None if begun else self._retry.pause_s(typed, attempt, left)
                if pause is None:
                    raise typed from error
                await asyncio.sleep(pause)
            finally:
                call.cancel()


class AsyncTextStream(AsyncEventStream):
    """See `sync.TextStream`."""

    def __aiter__(self) -> AsyncIterator[answers.TextPiece]:  # type: ignore[override]
        """The pieces, as they come."""
        return self.pieces()

    async def pieces(self) -> AsyncGenerator[answers.TextPiece, None]:
        """The pieces, as they come."""
        async with aclosing(self.events()) as events:
            async for event in events:
                if event.WhichOneof("event") == "chunk" and event.chunk.WhichOneof("kind") == "text":
                    yield answers.piece(event.chunk)


class AsyncClient:
    """See `sync.Client`. Use it in an `async with` statement, or await `close`."""

    def __init__(
        self,
        target: str = DEFAULT_TARGET,
        *,
        tls: Tls | None = None,
        retry: RetryPolicy = RetryPolicy(),  # noqa: B008 - frozen
    ) -> None:
        self._retry = retry
        if tls is None:
            self._channel = grpc.aio.insecure_channel(target, CHANNEL_OPTIONS)
        else:
            self._channel = grpc.aio.secure_channel(target, tls.credentials(), CHANNEL_OPTIONS)
        self._generation = generation_pb2_grpc.GenerationStub(self._channel)
        self._guide = guide_pb2_grpc.GuideStub(self._channel)
        self._models = models_pb2_grpc.ModelsStub(self._channel)
        self._health = health_pb2_grpc.HealthStub(self._channel)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connection."""
        await self._channel.close()

    def generate_text(
        self,
        prompt: str | Sequence[ChatMessage],
        *,
        timeout: float | None = None,
        **options: Unpack[requests.TextOptions],
    ) -> AsyncTextStream:
        """Text after a prompt, or the answer to a conversation, streamed."""
        message = requests.text_request(prompt, options)
        return AsyncTextStream(lambda left: self._generation.Generate(message, timeout=left), self._retry, timeout)

    def generate(self, request: generation_pb2.GenerateRequest, *, timeout: float | None = None) -> AsyncEventStream:
        """Anything that the contract can say, as raw events."""
        return AsyncEventStream(lambda left: self._generation.Generate(request, timeout=left), self._retry, timeout)

    async def fill_mask(
        self,
        text: str,
        *,
        candidates: int | None = None,
        timeout: float | None = None,
        **options: Unpack[requests.CallOptions],
    ) -> answers.Answer:
        """The text with its blanks filled, and what else would fit."""
        message = requests.transform_request(text, candidates, options)
        stream = AsyncEventStream(lambda left: self._generation.Transform(message, timeout=left), self._retry, timeout)
        async for _ in stream:
            pass
        return stream.answers[0]

    async def encode(
        self,
        items: Iterable[Media | str],
        *,
        timeout: float | None = None,
        **options: Unpack[requests.CallOptions],
    ) -> list[NDArray[np.floating]]:
        """A latent (an embedding, for texts) per item, float32."""
        message = requests.encode_request(items, options)
        response = await self._call(self._generation.Encode, message, timeout)
        return [read_latent(latent, "latent").mean for latent in response.latents]

    async def score(
        self,
        items: Iterable[Media | str],
        *,
        context: str = "",
        timeout: float | None = None,
        **options: Unpack[requests.CallOptions],
    ) -> list[Likelihood]:
        """How likely each item is; texts token by token."""
        message = requests.score_request(items, context, options)
        response = await self._call(self._generation.Score, message, timeout)
        return [answers.likelihood(likelihood) for likelihood in response.likelihoods]

    async def decide(
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
        return answers.decided((await self._call(self._guide.Decide, message, timeout)).decision)

    async def models(self, *, timeout: float | None = None) -> list[answers.Served]:
        """What is served."""
        response = await self._call(self._models.ListModels, models_pb2.ListModelsRequest(), timeout)
        return [answers.served(model) for model in response.models]

    async def model(self, name: str, *, timeout: float | None = None) -> answers.Served:
        """One model."""
        response = await self._call(self._models.GetModel, models_pb2.GetModelRequest(name=name), timeout)
        return answers.served(response.model)

    async def serving(self, *, timeout: float | None = 5.0) -> bool:
        """Whether the gateway says that every model is warm."""
        response = await self._call(self._health.Check, health_pb2.HealthCheckRequest(), timeout)
        return bool(response.status == health_pb2.HealthCheckResponse.SERVING)

    async def _call(self, method: Callable[..., Any], message: Any, timeout: float | None) -> Any:
        loop = asyncio.get_running_loop()
        deadline = None if timeout is None else loop.time() + timeout
        attempt = 0
        while True:
            attempt += 1
            left = None if deadline is None else max(0.0, deadline - loop.time())
            try:
                return await method(message, timeout=left)
            except grpc.RpcError as error:
                typed = from_grpc(error)
                pause = self._retry.pause_s(typed, attempt, left)
                if pause is None:
                    raise typed from error
                await asyncio.sleep(pause)
