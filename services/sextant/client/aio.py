"""The client for asyncio code: `sync` with `await`. A test holds the two to the same methods and arguments."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from contextlib import aclosing
from types import TracebackType
from typing import Any, Self, Unpack, cast

import grpc
import numpy as np
from numpy.typing import NDArray

from sextant.client import answers, from_wire, lookups, requests
from sextant.client.collecting import Asking, Collected
from sextant.client.connection import DEFAULT_TARGET, Attempts, RetryPolicy, Tls, channel_options
from sextant.client.inputs import Content
from sextant.client.replaying import STREAMED, Replayed, compared, digest_of, digests_of, pinned
from sextant.client.services import SERVICES, Services, is_serving
from sextant.client.stored import Keep
from sextant.contract.events import Likelihood
from sextant.contract.media import Latent, Media
from sextant.contract.tasks import TaskKind
from sextant.contract.v1 import generation_pb2, models_pb2, receipts_pb2


class AsyncEventStream(Collected):
    """See `sync.EventStream`."""

    def __init__(self, asking: Asking, retry: RetryPolicy, timeout: float | None) -> None:
        super().__init__(asking)
        self._retry, self._timeout = retry, timeout

    def __aiter__(self) -> AsyncIterator[Any]:
        """The events in order, as `answers.Event`. Raises `ClientError`."""
        return self.events()

    async def events(self) -> AsyncGenerator[answers.Event, None]:
        """The events in order. Raises `ClientError`."""
        async with aclosing(self._messages()) as messages:
            async for _, event in messages:
                if event is not None:
                    yield event

    async def raw(self) -> AsyncGenerator[generation_pb2.GenerateEvent, None]:
        """The same as they came on the wire."""
        async with aclosing(self._messages()) as messages:
            async for message, _ in messages:
                yield message

    async def read(self) -> Self:
        """Read to the end, for what the attributes then hold."""
        async for _ in self.events():
            pass
        return self

    async def _messages(self) -> AsyncGenerator[tuple[generation_pb2.GenerateEvent, answers.Event | None], None]:
        self.begin()
        attempts = Attempts(self._retry, self._timeout)
        begun = False
        while True:
            call = self._asking.start(attempts.time_left_s())
            try:
                async for message in call:
                    begun = True
                    yield message, self.take(message)
                return
            except grpc.RpcError as error:
                pause = attempts.pause_s(error, begun=begun)
            finally:
                call.cancel()
            await asyncio.sleep(pause)


class AsyncTextStream(AsyncEventStream):
    """See `sync.TextStream`."""

    def __aiter__(self) -> AsyncIterator[answers.TextPiece]:
        """The pieces, as they come. Raises `ClientError`."""
        return self.pieces()

    async def pieces(self) -> AsyncGenerator[answers.TextPiece, None]:
        """The pieces, as they come; closing the generator cancels the call."""
        async with aclosing(self.events()) as events:
            async for event in events:
                if isinstance(event, answers.TextPiece):
                    yield event


class AsyncClient:
    """See `sync.Client`. Use it in an `async with` statement, or await `close`."""

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
            self._channel = grpc.aio.insecure_channel(target, channel_options(target))
        else:
            self._channel = grpc.aio.secure_channel(target, tls.credentials(), channel_options(target))
        self._services = Services(self._channel, api_key)

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
        self, prompt: requests.Prompt, *, timeout: float | None = None, **options: Unpack[requests.TextOptions]
    ) -> AsyncTextStream:
        """Text after a prompt, or the answer to a conversation, streamed."""
        message = requests.text_request(prompt, options)
        return AsyncTextStream(self._asking("generate", message), self._retry, timeout)

    def generate(
        self,
        prompt: requests.Prompt | generation_pb2.GenerateRequest | None = None,
        *,
        timeout: float | None = None,
        **options: Unpack[requests.GenerateOptions],
    ) -> AsyncEventStream:
        """Anything new, streamed. A raw request says what the options cannot; it takes none of them."""
        if isinstance(prompt, generation_pb2.GenerateRequest):
            message = prompt
        else:
            message = requests.generate_request(prompt, options)
        return AsyncEventStream(self._asking("generate", message), self._retry, timeout)

    def transform(
        self, source: Content, *, timeout: float | None = None, **options: Unpack[requests.TransformOptions]
    ) -> AsyncEventStream:
        """Something made out of something given, streamed; a string is a text with blanks."""
        message = requests.transform_request(source, options)
        return AsyncEventStream(self._asking("transform", message), self._retry, timeout)

    async def fill_mask(
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
        stream = await self.transform(text, timeout=timeout, **given).read()
        return stream.only_answer()

    def interpolate(
        self,
        start: Content | None = None,
        end: Content | None = None,
        *,
        timeout: float | None = None,
        **options: Unpack[requests.InterpolateOptions],
    ) -> AsyncEventStream:
        """The frames of a path, each an answer as soon as it is ready; ends that are None are drawn from the seed."""
        message = requests.interpolate_request(start, end, options)
        return AsyncEventStream(self._asking("interpolate", message), self._retry, timeout)

    async def encode(
        self, items: Iterable[Content], *, timeout: float | None = None, **options: Unpack[requests.EncodeOptions]
    ) -> answers.Listed[NDArray[np.floating]]:
        """A latent (an embedding, for texts) per item, float32 and read-only; with the receipt."""
        message = requests.encode_request(items, options)
        return from_wire.encoded(await self._ask("encode", message, timeout))

    async def latents(
        self, items: Iterable[Content], *, timeout: float | None = None, **options: Unpack[requests.EncodeOptions]
    ) -> answers.Listed[Latent]:
        """As `encode`, with the space of each and its variance where there is one: what `decode` takes."""
        message = requests.encode_request(items, options)
        return from_wire.latents(await self._ask("encode", message, timeout))

    def encode_stream(
        self, items: Iterable[Content], *, timeout: float | None = None, **options: Unpack[requests.EncodeOptions]
    ) -> AsyncEventStream:
        """As `latents`, with the progress of models that encode in many steps; each latent is an answer."""
        message = requests.encode_request(items, options)
        return AsyncEventStream(self._asking("encode_stream", message), self._retry, timeout)

    async def decode(
        self, latents: Iterable[Latent], *, timeout: float | None = None, **options: Unpack[requests.DecodeOptions]
    ) -> answers.Listed[Media]:
        """A medium per latent; with the receipt."""
        message = requests.decode_request(latents, options)
        return from_wire.decoded(await self._ask("decode", message, timeout))

    async def score(
        self,
        items: Iterable[Content],
        *,
        context: str = "",
        timeout: float | None = None,
        **options: Unpack[requests.ScoreOptions],
    ) -> answers.Listed[Likelihood]:
        """How likely each item is; texts token by token; with the receipt."""
        message = requests.score_request(items, context, options)
        return from_wire.scored(await self._ask("score", message, timeout))

    async def decide(
        self,
        task: TaskKind | str | None = None,
        *,
        timeout: float | None = None,
        **options: Unpack[lookups.DecideOptions],
    ) -> answers.Decided:
        """What the guide would choose, and why; `intent` may say in plain words what `task` would."""
        message = lookups.decide_request(task, options)
        return from_wire.decided((await self._call(self._services.guide.Decide, message, timeout)).decision)

    async def models(self, *, timeout: float | None = None) -> list[answers.Served]:
        """What is served."""
        response = await self._call(self._services.models.ListModels, models_pb2.ListModelsRequest(), timeout)
        return [from_wire.served(model) for model in response.models]

    async def model(self, name: str, *, timeout: float | None = None) -> answers.Served:
        """One model."""
        response = await self._call(self._services.models.GetModel, lookups.model_request(name), timeout)
        return from_wire.served(response.model)

    async def serving(self, *, timeout: float | None = 5.0) -> bool:
        """Whether the gateway says that every model is warm."""
        return is_serving(await self._call(self._services.health.Check, lookups.health_request(""), timeout))

    async def health(self, *, timeout: float | None = 5.0) -> dict[str, bool]:
        """The same for each of its services, by their full names."""
        return {
            name: is_serving(await self._call(self._services.health.Check, lookups.health_request(name), timeout))
            for name in SERVICES
        }

    async def replay(self, answer: receipts_pb2.StoredAnswer, *, timeout: float | None = None) -> Replayed:
        """Ask again for what was answered before, and compare; `keep` is not told."""
        kind, message = pinned(answer)
        if kind not in STREAMED:
            response = await self._call(self._services.asking(kind), message, timeout)
            return compared(answer, kind, digests_of(response), response.receipt)
        digests: dict[int, bytes] = {}
        receipt = generation_pb2.Receipt()
        async for event in AsyncEventStream(Asking(self._services.asking(kind), message), self._retry, timeout).raw():
            if (told := digest_of(event)) is not None:
                digests[told[0]] = told[1]
            receipt = event.receipt
        return compared(answer, kind, digests, receipt)

    def _asking(self, kind: str, message: Any) -> Asking:
        return Asking(self._services.asking(kind), message, kind, self._keep)

    async def _ask(self, kind: str, message: Any, timeout: float | None) -> Any:
        response = await self._call(self._services.asking(kind), message, timeout)
        self._asking(kind, message).ended(response.receipt)
        return response

    async def _call(self, method: Callable[..., Any], message: Any, timeout: float | None) -> Any:
        attempts = Attempts(self._retry, timeout)
        while True:
            try:
                return await method(message, timeout=attempts.time_left_s())
            except grpc.RpcError as error:
                pause = attempts.pause_s(error)
            await asyncio.sleep(pause)
