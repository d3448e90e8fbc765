"""TLS and mutual TLS, with certificates made for the test."""

import shutil
import subprocess
from pathlib import Path

import grpc
import pytest

from sextant.contract.v1 import models_pb2, models_pb2_grpc
from tests.gateway.conftest import start_gateway
from tests.gateway.scripted import ScriptedDispatcher, answering
from tests.gateway.test_guide import MODELS

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory) -> Path:
    """ca.pem, and for "server", "client" and "stranger" a .pem with its .key; the stranger signed its own."""
    home = tmp_path_factory.mktemp("tls")

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


async def listed(gateway, home: Path, client: str = "", trust: str = "ca") -> int:
    """How many models a client sees, with its own certificate if it has one."""
    key, chain = (
        ((home / f"{client}.key").read_bytes(), (home / f"{client}.pem").read_bytes()) if client else (None, None)
    )
    credentials = grpc.ssl_channel_credentials((home / f"{trust}.pem").read_bytes(), key, chain)
    async with grpc.aio.secure_channel(f"localhost:{gateway.port}", credentials) as channel:
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
