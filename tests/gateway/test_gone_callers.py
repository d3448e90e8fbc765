"""Callers who are gone before their call begins: gRPC lets nothing be sent to them, and that is nobody's fault."""

import asyncio
import logging
from typing import Any

import grpc
import pytest

from sextant.contract.errors import InvalidRequest
from sextant.contract.tasks import TaskKind
from sextant.contract.v1 import models_pb2
from sextant.gateway import metrics
from sextant.gateway.calls import Calls, Refused


class Gone:
    """A context as gRPC has it of a call whose deadline passed while it waited for the event loop."""

    def __init__(self, *, hears_headers: bool) -> None:
        self._hears_headers = hears_headers

    def time_remaining(self) -> float:
        return 0.0

    def invocation_metadata(self) -> tuple[()]:
        return ()

    async def send_initial_metadata(self, _: object) -> None:
        if not self._hears_headers:
            raise grpc.aio.InternalError("execute_batch")

    async def abort_with_status(self, _: object) -> None:
        raise grpc.aio.InternalError("execute_batch")


REFUSED: Any = Refused(InvalidRequest("prompt", "is odd"))


async def nothing(*_: object) -> None:
    raise AssertionError("nobody waits for it")


@pytest.mark.parametrize("hears_headers", [True, False], ids=["gone at its refusal", "gone at once"])
async def test_a_call_to_nobody_is_a_cancel_and_no_defect(caplog, hears_headers):
    internal = metrics.REQUESTS.labels("generate", "unknown", "unknown", "INTERNAL")
    before, calls = internal._value.get(), Calls(1024)
    with caplog.at_level(logging.ERROR):
        with pytest.raises(asyncio.CancelledError):
            await calls.answer(TaskKind.GENERATE, REFUSED, Gone(hears_headers=hears_headers), nothing)
        with pytest.raises(asyncio.CancelledError):
            await calls.look_up(models_pb2.GetModelRequest(), Gone(hears_headers=False), nothing)
    assert internal._value.get() == before
    assert calls.open == 0
    assert not caplog.records
