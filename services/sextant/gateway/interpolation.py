"""Paths between data: the ends are encoded by the model that walks, then all frames go to it at once."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace

from sextant.bundles.manifest import Manifest
from sextant.contract.errors import FieldViolation, InvalidRequest, SextantError
from sextant.contract.events import Event, Progress, Result
from sextant.contract.media import Latent, Media
from sextant.contract.tasks import Interpolation, Task, TaskKind
from sextant.contract.violations import quoted

Stream = Callable[[tuple[Task, ...]], AsyncGenerator[Sequence[Event], None]]

_ENDS = ("start", "end")


async def frames(path: Interpolation, seed: int, stream: Stream) -> AsyncGenerator[Sequence[Event], None]:
    """The events of a path: progress of the encoding, item 0 being the start and item 1 the end; then the frames.

    `stream` sends tasks to the model. An end that the model refuses is named as it stands in the request. The mean
    of what an end is encoded to is where the path begins or ends.
    """
    given = {name: end for name, end in zip(_ENDS, (path.start, path.end), strict=True) if end is not None}
    latents = {name: end for name, end in given.items() if isinstance(end, Latent)}
    data = {name: end for name, end in given.items() if name not in latents}
    if data:
        async with aclosing(_encoding(data, path, seed, stream)) as batches:
            async for progress, found in batches:
                latents |= found
                # Nothing is shown of an encoding of one step: the frames may yet be refused for load.
                if progress:
                    yield progress
        _check_encoded(latents, data)
    async with aclosing(stream(path.tasks(seed, latents.get("start"), latents.get("end")))) as batches_of_frames:
        async for batch in batches_of_frames:
            yield batch


async def _encoding(
    data: dict[str, Media], path: Interpolation, seed: int, stream: Stream
) -> AsyncGenerator[tuple[Sequence[Event], dict[str, Latent]], None]:
    """Batches of progress with the latents that are known since the last."""
    names = list(data)
    tasks = tuple(
        Task(TaskKind.ENCODE, seed=seed, index=index, source=data[name], conditions=path.conditions)
        for index, name in enumerate(names)
    )
    try:
        async with aclosing(stream(tasks)) as batches:
            async for batch in batches:
                progress, found = [], {}
                for event in batch:
                    if isinstance(event.body, Progress):
                        end = _ENDS.index(names[event.body.item])
                        progress.append(replace(event, body=replace(event.body, item=end)))
                    elif isinstance(event.body, Result):
                        found[names[event.body.item]] = _latent(event.body)
                yield progress, found
    except InvalidRequest as error:
        raise _renamed(error, names) from error


def check_path(path: Interpolation, manifest: Manifest) -> None:
    """`InvalidRequest` for what the model's latent spaces rule out, before anything is encoded for nothing."""
    shapes = {space.id: space.shape for space in manifest.latent_spaces}
    for name, end in zip(_ENDS, (path.start, path.end), strict=True):
        if isinstance(end, Latent) and end.space not in shapes:
            known = ", ".join(shapes) or "none"
            raise InvalidRequest(f"{name}.latent.space", f"is {quoted(end.space)}; the model reads {known}")
    most = max((shape[-1] for shape in shapes.values() if shape), default=None)
    if path.traverse_index is not None and most is not None and path.traverse_index >= most:
        raise InvalidRequest("traverse_index", f"must be from 0 to {most - 1}, not {path.traverse_index}")


def _check_encoded(latents: dict[str, Latent], data: dict[str, Media]) -> None:
    """That every end has come, and that both are points of one space: two tables may differ in length, say."""
    missing = data.keys() - latents.keys()
    if missing:
        raise SextantError(f"the {', '.join(sorted(missing))} of a path did not come back encoded")
    start, end = latents.get("start"), latents.get("end")
    if start is None or end is None or (start.space, start.mean.shape) == (end.space, end.mean.shape):
        return
    shapes = f"a latent of {end.space} {list(end.mean.shape)}, the start one of {start.space} {list(start.mean.shape)}"
    raise InvalidRequest("end", f"is {shapes}")


def _latent(result: Result) -> Latent:
    if not isinstance(result.content, Latent):
        raise SextantError(f"a model encoded to {type(result.content).__name__}, not to a latent")
    return replace(result.content, variance=None)


def _renamed(error: InvalidRequest, names: Sequence[str]) -> InvalidRequest:
    """The same refusal, of "start" and "end" rather than of the items that they were sent as."""
    first, *more = (FieldViolation(_name_of(v.field, names), v.description) for v in error.violations)
    return InvalidRequest(first.field, first.description, *more)


def _name_of(field: str, names: Sequence[str]) -> str:
    for index, name in enumerate(names):
        sent_as = f"items[{index}]"
        if field.startswith(sent_as):
            return name + field.removeprefix(sent_as)
    return field
