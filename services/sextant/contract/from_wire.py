"""Requests as they come, to the tasks that models work on; everything generation.proto promises is checked here.

Each function raises `InvalidRequest` with all that is wrong with the request. It holds for messages that never
went through `wire.check` too. What depends on the model (its classes, its context, its latent space) is for
the model to check. Decoding media takes time: call these off the event loop where a request carries any.
"""

from collections.abc import Iterable

from sextant.contract import media
from sextant.contract.options import AnyRequest
from sextant.contract.parameters_from_wire import parameters_family, read_parameters
from sextant.contract.ranges import check_ranges
from sextant.contract.request_media import RequestMedia
from sextant.contract.tasks import ChatMessage, Interpolation, Role, Size, Task, TaskKind
from sextant.contract.v1 import generation_pb2
from sextant.contract.violations import Violations
from sextant.contract.wire_enums import INTERPOLATION_PATH_FROM_WIRE, ROLE_FROM_WIRE

__all__ = [
    "decode_tasks",
    "encode_tasks",
    "generate_tasks",
    "interpolation",
    "parameters_family",
    "score_tasks",
    "transform_tasks",
]

_DEFAULT_FRAMES = 16


def generate_tasks(message: generation_pb2.GenerateRequest, seed: int) -> tuple[Task, ...]:
    """One task per item wanted, alike but for their index."""
    found = _ranges_of(message)
    prompt = message.prompt if message.HasField("prompt") else None
    if prompt == "":
        found.add("prompt", "must not be empty")
    chat = _read_chat(message, found)
    conditions = RequestMedia(found).conditions(message.conditions)
    parameters = read_parameters(message, found)
    found.raise_any()
    return tuple(
        Task(
            kind=TaskKind.GENERATE,
            seed=seed,
            index=index,
            prompt=prompt,
            chat=chat,
            conditions=conditions,
            parameters=parameters,
            size=_read_size(message.size),
        )
        for index in range(message.count or 1)
    )


def transform_tasks(message: generation_pb2.TransformRequest, seed: int) -> tuple[Task, ...]:
    """One task per item wanted, alike but for their index."""
    found = _ranges_of(message)
    reader = RequestMedia(found)
    source = reader.medium(message.source, "source")
    mask = _read_mask(message, source, reader, found) if message.HasField("mask") else None
    conditions = reader.conditions(message.conditions)
    parameters = read_parameters(message, found)
    found.raise_any()
    return tuple(
        Task(
            kind=TaskKind.TRANSFORM,
            seed=seed,
            index=index,
            prompt=message.prompt or None,
            source=source,
            conditions=conditions,
            parameters=parameters,
            mask=mask,
            strength=message.strength if message.HasField("strength") else None,
        )
        for index in range(message.count or 1)
    )


def encode_tasks(message: generation_pb2.EncodeRequest, seed: int) -> tuple[Task, ...]:
    """One task per item, in their order."""
    found = _ranges_of(message)
    reader = RequestMedia(found)
    items = reader.items(message.items, "items")
    conditions = reader.conditions(message.conditions)
    parameters = read_parameters(message, found)
    found.raise_any()
    return tuple(
        Task(
            kind=TaskKind.ENCODE,
            seed=seed,
            index=index,
            source=item,
            space=message.options.guarantees.latent_space,
            conditions=conditions,
            parameters=parameters,
        )
        for index, item in enumerate(items)
    )


def decode_tasks(message: generation_pb2.DecodeRequest, seed: int) -> tuple[Task, ...]:
    """One task per latent, in their order."""
    found = _ranges_of(message)
    reader = RequestMedia(found)
    latents = reader.latents(message.latents, "latents")
    conditions = reader.conditions(message.conditions)
    found.raise_any()
    return tuple(
        Task(kind=TaskKind.DECODE, seed=seed, index=index, source=latent, conditions=conditions)
        for index, latent in enumerate(latents)
    )


def score_tasks(message: generation_pb2.ScoreRequest, seed: int) -> tuple[Task, ...]:
    """One task per item, in their order."""
    found = _ranges_of(message)
    reader = RequestMedia(found)
    items = reader.items(message.items, "items")
    if message.context and not all(isinstance(item, media.Text) for item in items):
        found.add("context", "goes with items of text only")
    conditions = reader.conditions(message.conditions)
    parameters = read_parameters(message, found)
    found.raise_any()
    return tuple(
        Task(
            kind=TaskKind.SCORE,
            seed=seed,
            index=index,
            source=item,
            context=message.context,
            conditions=conditions,
            parameters=parameters,
        )
        for index, item in enumerate(items)
    )


def interpolation(message: generation_pb2.InterpolateRequest) -> Interpolation:
    """What is to be walked; its tasks follow once both ends are latents."""
    found = _ranges_of(message)
    if message.path not in generation_pb2.InterpolationPath.values():
        found.add("path", f"{message.path} is not a value of sextant.v1.InterpolationPath")
    reader = RequestMedia(found)
    start = reader.medium(message.start, "start") if message.HasField("start") else None
    end = reader.medium(message.end, "end") if message.HasField("end") else None
    _check_ends(message, start, end, found)
    conditions = reader.conditions(message.conditions)
    found.raise_any()
    return Interpolation(
        start=start,
        end=end,
        frames=message.frames or _DEFAULT_FRAMES,
        path=INTERPOLATION_PATH_FROM_WIRE.get(message.path),
        traverse_index=message.traverse_index if message.HasField("traverse_index") else None,
        conditions=conditions,
    )


def _check_ends(
    message: generation_pb2.InterpolateRequest,
    start: media.Media | None,
    end: media.Media | None,
    found: Violations,
) -> None:
    latents = [point for point in (start, end) if isinstance(point, media.Latent)]
    if isinstance(start, media.Latent) and isinstance(end, media.Latent):
        if start.space != end.space:
            found.add("end.latent.space", "is not the space of the start")
        elif start.mean.shape != end.mean.shape:
            found.add("end.latent.mean.shape", f"is {list(end.mean.shape)}; the start's {list(start.mean.shape)}")
    elif not latents and start is not None and end is not None and type(start) is not type(end):
        kinds = message.end.WhichOneof("kind"), message.start.WhichOneof("kind")
        found.add("end", "is of kind {}, and the start of kind {}".format(*kinds))
    if message.HasField("traverse_index"):
        # A latent of a table has a row of coordinates for each of the table's: each walks for itself.
        sizes = [point.mean.shape[-1] if point.mean.ndim else 1 for point in latents]
        if sizes and message.traverse_index >= min(sizes):
            found.add("traverse_index", f"must be below {min(sizes)}, the size of the latent")


def _ranges_of(message: AnyRequest) -> Violations:
    found = Violations()
    check_ranges(message, found)
    return found


def _read_chat(message: generation_pb2.GenerateRequest, found: Violations) -> tuple[ChatMessage, ...]:
    if not message.HasField("chat"):
        return ()
    if message.HasField("prompt"):
        found.add("chat", "excludes a prompt")
    if message.text.continue_prompt:
        found.add("text.continue_prompt", "continues a prompt, not a chat")
    chat = tuple(_read_chat_messages(message.chat.messages, found))
    if not message.chat.messages:
        found.add("chat.messages", "must hold at least one message")
    elif message.chat.messages[-1].role != generation_pb2.ROLE_USER:
        found.add(f"chat.messages[{len(message.chat.messages) - 1}].role", "the last message must be the user's")
    return chat


def _read_chat_messages(messages: Iterable[generation_pb2.ChatMessage], found: Violations) -> Iterable[ChatMessage]:
    for index, message in enumerate(messages):
        role = ROLE_FROM_WIRE.get(message.role)
        path = f"chat.messages[{index}]"
        if role is None:
            found.add(f"{path}.role", "must be system, user or assistant")
            continue
        if role is Role.SYSTEM and index:
            found.add(f"{path}.role", "only the first message may be the system's")
        if role is Role.USER and not message.content:
            found.add(f"{path}.content", "must not be empty")
        yield ChatMessage(role, message.content)


def _read_size(message: generation_pb2.Size) -> Size:
    return Size(message.width_px, message.height_px, message.duration_s, message.rows)


def _read_mask(
    message: generation_pb2.TransformRequest, source: media.Media | None, reader: RequestMedia, found: Violations
) -> media.Image | None:
    mask = reader.mask(message.mask, "mask")
    if message.source.WhichOneof("kind") not in (None, "image"):
        found.add("mask", "goes with a picture only")
    if mask is None or not isinstance(source, media.Image) or mask.pixels.shape[:2] == source.pixels.shape[:2]:
        return mask
    (height, width), (mask_height, mask_width) = source.pixels.shape[:2], mask.pixels.shape[:2]
    found.add("mask", f"is {mask_width} x {mask_height} pixels, and the source {width} x {height}")
    return None
