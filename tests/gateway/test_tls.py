"""TLS and mutual TLS, with certificates made for the test; and what is new while a stream runs on."""

import asyncio
import logging
import shutil
import subprocess
from pathlib import Path

import grpc
import pytest

from sextant.contract.v1 import generation_pb2_grpc, models_pb2, models_pb2_grpc
from sextant.gateway.certificates import CertificateError
from tests.e2e.conftest import probe_request
from tests.gateway.conftest import start_gateway
from tests.gateway.scripted import ScriptedDispatcher, answering
from tests.gateway.test_guide import MODELS

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")


def issue(home: Path) -> Path:
    """ca.pem, and for "server", "client" and "stranger" a .pem with its .key; the stranger signed its own."""

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=home, check=True, capture_output=True)

    new_key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1")
    for name in ("ca", "stranger"):
        openssl("req", "-x509", *new_key, "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.pem")
    for name in ("server", "client"):
        san = ("-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1")
        openssl("req", "-x509", *new_key, "-subj", f"/CN={name}", *san, "-CA", "ca.pem", "-CAkey", "ca.key",
                "-keyout", f"{name}.key", "-out", f"{name}.pem")  # fmt: skip
    return home


@pytest.fixture(scope="module")
def certificates(tmp_path_factory) -> Path:
    return issue(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def new_certificates(tmp_path_factory) -> Path:
    """The same by another authority of the same name."""
    return issue(tmp_path_factory.mktemp("tls"))


def channel_to(gateway, home: Path, client: str = "", trust: str = "ca") -> grpc.aio.Channel:
    """A channel with the client's own certificate if it has one."""
    own = [(home / f"{client}{suffix}").read_bytes() if client else None for suffix in (".key", ".pem")]
    credentials = grpc.ssl_channel_credentials((home / f"{trust}.pem").read_bytes(), *own)
    return grpc.aio.secure_channel(f"localhost:{gateway.port}", credentials)


async def listed(gateway, home: Path, client: str = "", trust: str = "ca") -> int:
    """How many models a client sees, over a connection of its own."""
    async with channel_to(gateway, home, client, trust) as channel:
        answer = await models_pb2_grpc.ModelsStub(channel).ListModels(models_pb2.ListModelsRequest(), timeout=5)
    return len(answer.models)


async def test_with_a_certificate_the_gateway_speaks_tls_and_nothing_else(certificates):
    tls = {"tls_certificate": certificates / "server.pem", "tls_key": certificates / "server.key"}
    gateway = await start_gateway(ScriptedDispatcher(MODELS, answering()), **tls)
    assert await listed(gateway, certificates) == len(MODELS)
    with pytest.raises(grpc.aio.AioRpcError):
        await listed(gateway, certificates, trust="stranger")
    async with grpc.aio.insecure_channel(f"127.0.0.1:{gateway.port}") as channel:
        with pytest.raises(grpc.aio.AioRpcError):
            await models_pb2_grpc.ModelsStub(channel).ListModels(models_pb2.ListModelsRequest(), timeout=2)
    await gateway.drain()


async def test_with_a_client_ca_only_those_it_signed_may_call(certificates):
    tls = {"tls_certificate": certificates / "server.pem", "tls_key": certificates / "server.key"}
    gateway = await start_gateway(ScriptedDispatcher(MODELS, answering()), **tls, tls_client_ca=certificates / "ca.pem")
    assert await listed(gateway, certificates, client="client") == len(MODELS)
    for outsider in ("", "stranger"):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await listed(gateway, certificates, client=outsider)
        assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
    await gateway.drain()


FILES = ("server.pem", "server.key", "ca.pem")


def mutual(home: Path) -> dict[str, Path]:
    names = ("tls_certificate", "tls_key", "tls_client_ca")
    return dict(zip(names, (home / file for file in FILES), strict=True))


async def test_certificates_and_the_authority_of_clients_rotate_while_a_stream_runs_on(
    tmp_path, dispatcher, certificates, new_certificates
):
    for file in FILES:
        shutil.copy(certificates / file, tmp_path / file)
    gateway = await start_gateway(dispatcher, **mutual(tmp_path))
    async with channel_to(gateway, certificates, "client") as old:
        running = aiter(generation_pb2_grpc.GenerationStub(old).Generate(probe_request("sleep=0.01", steps=100_000)))
        seen = [(await anext(running)).sequence]
        for file in FILES:
            shutil.copy(new_certificates / file, tmp_path / file)
        async with asyncio.timeout(30):
            while True:
                try:
                    assert await listed(gateway, new_certificates, client="client") == 1
                    break
                except grpc.aio.AioRpcError:
                    await asyncio.sleep(0.05)
        for home, client in ((certificates, "client"), (new_certificates, ""), (new_certificates, "stranger")):
            with pytest.raises(grpc.aio.AioRpcError):
                await listed(gateway, home, client=client)
        # Also one that trusts the new server, but whose own certificate is of the old authority.
        shutil.copy(new_certificates / "ca.pem", tmp_path / "trusted.pem")
        for suffix in (".pem", ".key"):
            shutil.copy(certificates / f"client{suffix}", tmp_path / f"client{suffix}")
        with pytest.raises(grpc.aio.AioRpcError):
            await listed(gateway, tmp_path, client="client", trust="trusted")
        # The stream that began before goes on where it was, and so do new calls on its connection.
        for _ in range(50):
            seen.append((await anext(running)).sequence)
        assert seen == list(range(51))
        assert len((await models_pb2_grpc.ModelsStub(old).ListModels(models_pb2.ListModelsRequest())).models) == 1
    await gateway.drain()


async def test_a_certificate_that_does_not_fit_its_key_is_left_out_and_told(tmp_path, certificates, caplog):
    for file in FILES:
        shutil.copy(certificates / file, tmp_path / file)
    gateway = await start_gateway(ScriptedDispatcher(MODELS, answering()), **mutual(tmp_path))
    with caplog.at_level(logging.ERROR):
        shutil.copy(certificates / "client.pem", tmp_path / "server.pem")
        async with asyncio.timeout(30):
            while "the old ones stay" not in caplog.text:
                await asyncio.sleep(0.05)
    assert str(tmp_path / "server.pem") in caplog.text
    assert "PRIVATE" not in caplog.text
    assert await listed(gateway, certificates, client="client") == len(MODELS)
    await gateway.drain()


async def test_a_gateway_does_not_start_with_certificates_that_make_no_whole(tmp_path, certificates):
    for file in FILES:
        shutil.copy(certificates / file, tmp_path / file)
    (tmp_path / "ca.pem").write_text("nonsense")
    with pytest.raises(CertificateError, match=r"ca\.pem"):
        await start_gateway(ScriptedDispatcher(MODELS, answering()), **mutual(tmp_path))
