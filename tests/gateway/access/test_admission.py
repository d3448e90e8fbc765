"""Nothing is served without a key that is for it: on every method of every service, as any client would ask."""

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2
from grpc_status import rpc_status
from prometheus_client import REGISTRY

from sextant.client import AsyncClient, Overloaded, PermissionDenied, RetryPolicy, Unauthenticated
from sextant.contract.v1 import generation_pb2, guide_pb2, models_pb2
from sextant.gateway.access.key_file import create_key, revoke_key
from sextant.gateway.access.keys import now_utc
from sextant.gateway.access.scopes import GROUPS, USUAL, group_of
from tests.e2e.conftest import probe_request
from tests.gateway.conftest import start_gateway
from tests.gateway.scripted import ScriptedDispatcher, answering
from tests.gateway.test_guide import MODELS

UNAUTHENTICATED, DENIED = grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED
ANSWERED_BY_THE_SERVICE = {grpc.StatusCode.OK, grpc.StatusCode.INVALID_ARGUMENT}

HEALTH, REFLECTION = "grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection"
# Every method there is, with a request that it answers: an empty one, where that is refused as invalid.
METHODS: Mapping[str, bytes] = {
    **{
        f"{service.full_name}/{method.name}": b""
        for contract in (generation_pb2, guide_pb2, models_pb2)
        for service in contract.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    },
    f"{HEALTH}/Check": health_pb2.HealthCheckRequest().SerializeToString(),
    f"{HEALTH}/Watch": health_pb2.HealthCheckRequest().SerializeToString(),
    f"{REFLECTION}/ServerReflectionInfo": reflection_pb2.ServerReflectionRequest(list_services="").SerializeToString(),
}


async def code_of(channel: grpc.aio.Channel, method: str, token: str | None) -> grpc.StatusCode:
    """How a call ends; OK as soon as there is an answer."""
    while True:
        try:
            return await _code_of(channel, method, token)
        except _OvertakenByTheRefusal:
            continue


class _OvertakenByTheRefusal(Exception):
    """grpc.aio's client still wrote when the call had ended, and told of that instead of the call's code."""


async def _code_of(channel: grpc.aio.Channel, method: str, token: str | None) -> grpc.StatusCode:
    metadata = () if token is None else (("authorization", f"Bearer {token}"),)
    call = channel.stream_stream(f"/{method}")(iter([METHODS.get(method, b"")]), metadata=metadata, timeout=10)
    try:
        answer = await call.read()
    except grpc.aio.AioRpcError as error:
        if "Internal error from Core" in (error.details() or ""):
            raise _OvertakenByTheRefusal from error
        return error.code()
    finally:
        call.cancel()
    assert answer is not grpc.aio.EOF
    return grpc.StatusCode.OK


@asynccontextmanager
async def guarded(path: Path, dispatcher=None, **settings) -> AsyncIterator[tuple[grpc.aio.Channel, int]]:
    gateway = await start_gateway(dispatcher or ScriptedDispatcher(MODELS, answering()), keys=path, **settings)
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{gateway.port}") as channel:
            yield channel, gateway.port
    finally:
        await gateway.drain()


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "keys.toml"


@pytest.mark.parametrize("shown", ["nothing", "nonsense", "a wrong secret", "another's name", "an expired key"])
async def test_without_a_good_key_nothing_is_served_on_any_method(path, shown):
    good = create_key(path, "good", scopes=list(GROUPS))
    create_key(path, "other", scopes=list(GROUPS))
    expired = create_key(path, "old", scopes=list(GROUPS), expires=now_utc() - timedelta(seconds=1))
    token = {
        "nothing": None,
        "nonsense": "Zm9v",
        "a wrong secret": "sxt.good." + "A" * 43,
        "another's name": good.replace(".good.", ".other."),
        "an expired key": expired,
    }[shown]
    async with guarded(path, health="scope") as (channel, _):
        for method in [*METHODS, "sextant.v1.Generation/NoSuchMethod", "no.such.Service/Method"]:
            assert await code_of(channel, method, token) is UNAUTHENTICATED, method


async def test_every_method_is_served_to_a_key_with_all_scopes(path):
    token = create_key(path, "all", scopes=list(GROUPS))
    async with guarded(path, health="scope") as (channel, _):
        for method in METHODS:
            assert await code_of(channel, method, token) in ANSWERED_BY_THE_SERVICE, method


@pytest.mark.parametrize("scope", [*GROUPS, "sextant.v1.Generation/Encode", "sextant.v1.Guide/Decide"])
async def test_a_key_opens_what_its_scope_says_and_nothing_else(path, scope):
    token = create_key(path, "one", scopes=[scope])
    async with guarded(path, health="scope") as (channel, _):
        for method in METHODS:
            code = await code_of(channel, method, token)
            if scope in (method, group_of(method)):
                assert code in ANSWERED_BY_THE_SERVICE, method
            else:
                assert code is DENIED, method


async def test_health_is_open_unless_told_otherwise_and_reflection_as_it_is_told(path):
    token, everything = create_key(path, "usual", scopes=list(USUAL)), create_key(path, "all", scopes=list(GROUPS))
    info = f"{REFLECTION}/ServerReflectionInfo"
    async with guarded(path) as (channel, _):
        assert await code_of(channel, f"{HEALTH}/Check", None) is grpc.StatusCode.OK
        assert await code_of(channel, info, None) is UNAUTHENTICATED
        assert await code_of(channel, info, token) is DENIED
    async with guarded(path, reflection="open") as (channel, _):
        assert await code_of(channel, info, None) is grpc.StatusCode.OK
    async with guarded(path, reflection="off") as (channel, _):
        assert await code_of(channel, info, None) is UNAUTHENTICATED
        assert await code_of(channel, info, everything) is grpc.StatusCode.UNIMPLEMENTED
    gateway = await start_gateway(ScriptedDispatcher(MODELS, answering()), reflection="off")
    async with grpc.aio.insecure_channel(f"127.0.0.1:{gateway.port}") as channel:
        assert await code_of(channel, info, None) is grpc.StatusCode.UNIMPLEMENTED
    await gateway.drain()


async def test_a_refusal_names_the_scope_and_carries_the_id_of_the_request(path):
    token = create_key(path, "few", scopes=["models"])
    async with guarded(path) as (channel, _):
        metadata = (("authorization", f"bearer {token}"), ("x-request-id", "mine-7"))
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await channel.unary_unary("/sextant.v1.Generation/Score")(b"", metadata=metadata)
    info, request = error_details_pb2.ErrorInfo(), error_details_pb2.RequestInfo()
    details = rpc_status.from_call(refused.value).details
    assert any(detail.Unpack(info) for detail in details)
    assert any(detail.Unpack(request) for detail in details)
    assert (info.reason, info.metadata["scope"], request.request_id) == ("SCOPE_MISSING", "score", "mine-7")
    assert "'score'" in refused.value.details()


async def test_a_key_over_its_rate_is_told_when_to_come_again(path):
    token = create_key(path, "slow", scopes=["models"], rate_per_s=0.5, burst=2)
    once = RetryPolicy(attempts=1)
    async with guarded(path) as (_, port), AsyncClient(f"127.0.0.1:{port}", api_key=token, retry=once) as client:
        assert await client.models()
        assert await client.models()
        with pytest.raises(Overloaded) as refused:
            await client.models()
    assert refused.value.reason == "RATE_LIMITED"
    assert 0 < refused.value.retry_after_s <= 2.0


async def test_a_day_s_calls_and_a_day_s_steps_come_to_an_end(path, dispatcher):
    calls = create_key(path, "calls", scopes=["generation"], requests_per_day=1)
    steps = create_key(path, "steps", scopes=["generation"], steps_per_day=10)
    async with guarded(path, dispatcher) as (_, port):
        for token in (calls, steps):
            async with AsyncClient(f"127.0.0.1:{port}", api_key=token) as client:
                assert (await client.generate(probe_request(steps=12)).read()).receipt
                with pytest.raises(Overloaded) as refused:
                    await client.generate(probe_request(steps=12)).read()
                assert refused.value.reason == "QUOTA_EXCEEDED"
                assert refused.value.retry_after_s >= 1.0


async def test_the_client_shows_its_key_and_names_the_refusals(path):
    token = create_key(path, "me", scopes=["models"])
    async with guarded(path) as (_, port):
        async with AsyncClient(f"127.0.0.1:{port}", api_key=token) as client:
            assert len(await client.models()) == len(MODELS)
            with pytest.raises(PermissionDenied, match="'generation'"):
                await client.generate_text("hello").read()
        async with AsyncClient(f"127.0.0.1:{port}") as client:
            with pytest.raises(Unauthenticated):
                await client.models()


async def test_keys_come_and_go_while_the_gateway_runs_and_a_broken_file_changes_nothing(path, caplog):
    first = create_key(path, "first", scopes=["models"])
    method = "sextant.v1.Models/ListModels"

    async def until(token: str, wanted: grpc.StatusCode) -> None:
        async with asyncio.timeout(30):
            while await code_of(channel, method, token) is not wanted:
                await asyncio.sleep(0.05)

    async with guarded(path) as (channel, _):
        assert await code_of(channel, method, first) is grpc.StatusCode.OK
        second = create_key(path, "second", scopes=["models"])
        await until(second, grpc.StatusCode.OK)
        whole, before = path.read_text(), failures()
        with caplog.at_level(logging.ERROR):
            path.write_text(whole.replace("models", "everything"))
            async with asyncio.timeout(30):
                while failures() == before:
                    await asyncio.sleep(0.05)
        assert "the old ones stay" in caplog.text
        assert "keys.first.scopes.0: " in caplog.text
        assert await code_of(channel, method, first) is grpc.StatusCode.OK
        path.write_text(whole)
        assert REGISTRY.get_sample_value(*series("first"))
        revoke_key(path, "first")
        await until(first, UNAUTHENTICATED)
        assert await code_of(channel, method, second) is grpc.StatusCode.OK
    assert REGISTRY.get_sample_value(*series("first")) is None


async def test_no_key_and_no_hash_of_one_is_ever_logged(path, caplog):
    caplog.set_level(logging.DEBUG)
    token = create_key(path, "quiet", scopes=["models"], rate_per_s=1.0)
    expired = create_key(path, "gone", scopes=["models"], expires=now_utc() - timedelta(days=1))
    async with guarded(path) as (channel, _):
        for method in METHODS:
            for shown in (token, expired, token[:-1] + "_"):
                await code_of(channel, method, shown)
        path.write_text(path.read_text().replace("models", token))
        async with asyncio.timeout(30):
            while "the old ones stay" not in caplog.text:
                await asyncio.sleep(0.05)
    logged = caplog.text + "".join(str(vars(record)) for record in caplog.records)
    assert "refused at the door" in logged
    for key in (token, expired):
        secret = key.rpartition(".")[2]
        assert secret not in logged
        assert hashlib.sha256(secret.encode()).hexdigest() not in logged


def failures() -> float:
    return REGISTRY.get_sample_value("sextant_api_key_reload_failures_total") or 0.0


def series(name: str) -> tuple[str, dict[str, str]]:
    return "sextant_api_key_calls_total", {"key": name, "outcome": "admitted"}
