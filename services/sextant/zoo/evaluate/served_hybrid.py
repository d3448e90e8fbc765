"""Hybrids as they are served: with all of their stages in this process, as a replica of theirs runs them."""

import asyncio
from collections.abc import Iterable

from sextant.bundles.manifest import HYBRID, Manifest
from sextant.bundles.store import Bundle, BundleStore
from sextant.contract.errors import SextantError
from sextant.contract.events import Event, Progress, Result
from sextant.contract.media import Media
from sextant.contract.tasks import Request, Task
from sextant.replicas.config import FamilyConfig
from sextant.replicas.host import ModelHost

_AT_ONCE = 16  # requests; eight candidates of each still find room in a stage's queue


class HybridAlone:
    """A hybrid and its stages, which are looked for beside it first."""

    def __init__(self, bundle: Bundle, threads: int) -> None:
        self._name = bundle.manifest.name
        store = BundleStore([bundle.path.parent, *BundleStore.default().directories])
        config = FamilyConfig(models=(self._name,), co_located=True, intra_op_threads=threads)
        # The schedulers of its stages belong to this loop, which runs while something is asked.
        # No `asyncio.Runner`: guarding against Ctrl-C takes each of its runs a millisecond, which would be measured.
        self._loop = asyncio.new_event_loop()
        self._host = self._loop.run_until_complete(ModelHost.load(HYBRID, config, store))

    @property
    def manifest(self) -> Manifest:
        """What is told of it, the sizes and classes that follow from its stages among it."""
        return self._host.offer.models[self._name].manifest

    def results(self, tasks: Iterable[Task]) -> list[Result]:
        """The result of every task, in order; each is a request of its own."""
        return self._loop.run_until_complete(self._all(list(tasks)))

    def previews(self, task: Task) -> list[Media]:
        """What the task's progress events show."""
        events = self._loop.run_until_complete(self._asked(task))
        shown = [event.body.preview for event in events if isinstance(event.body, Progress)]
        return [preview for preview in shown if preview is not None]

    async def _all(self, tasks: list[Task]) -> list[Result]:
        room = asyncio.Semaphore(_AT_ONCE)

        async def result(task: Task) -> Result:
            async with room:
                events = await self._asked(task)
            found = [event.body for event in events if isinstance(event.body, Result)]
            if len(found) != 1:
                raise SextantError(f"{self._name} gave {len(found)} results for one task")
            return found[0]

        return await asyncio.gather(*map(result, tasks))

    async def _asked(self, task: Task) -> list[Event]:
        stream = self._host.submit(Request("alone", self._name, (task,)))
        found: list[Event] = []
        try:
            async for batch in stream:
                found += batch
                stream.acknowledge(len(found))
        finally:
            stream.close()
        return found
