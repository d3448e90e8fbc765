"""A guide that is edited under a running gateway: taken over when it is right, left out when it is broken."""

import asyncio
import logging
import os
from pathlib import Path

import grpc
import pytest
from prometheus_client import REGISTRY

from sextant.contract.v1 import guide_pb2, guide_pb2_grpc, media_pb2
from sextant.gateway.guide.keeper import GuideKeeper
from sextant.gateway.guide.schema import GuideError
from tests.gateway.conftest import start_gateway
from tests.gateway.scripted import ScriptedDispatcher, answering
from tests.gateway.test_guide import MODELS

ROW = "  - {{name: {name}, task: generate, output: image, families: [{family}], reason: because}}\n"
BROKEN = "rows:\n  - name: mine\n    task: generate\n    families: [vae]\n    reason: because\n    colour: red\n"


def guide(name: str, family: str) -> str:
    return "rows:\n" + ROW.format(name=name, family=family)


def failures() -> float:
    return REGISTRY.get_sample_value("sextant_guide_reload_failures_total") or 0.0


def put(path: Path, text: str) -> None:
    """As editors save: another file in the place of the old one."""
    part = path.with_suffix(".part")
    part.write_text(text)
    os.replace(part, path)


async def test_a_gateway_takes_over_an_edited_guide_and_survives_a_broken_one(tmp_path, caplog):
    path = tmp_path / "guide.yaml"
    put(path, guide("first", "gan"))
    gateway = await start_gateway(ScriptedDispatcher(MODELS, answering()), guide=path)
    before = failures()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{gateway.port}") as channel:
            stub = guide_pb2_grpc.GuideStub(channel)

            async def decided() -> tuple[str, str]:
                answer = await stub.Decide(guide_pb2.DecideRequest(task=1, output=media_pb2.MODALITY_IMAGE))
                return answer.decision.rule.name, answer.decision.choice.model

            async def until(wanted: tuple[str, str]) -> None:
                async with asyncio.timeout(30):
                    while await decided() != wanted:
                        await asyncio.sleep(0.05)

            assert await decided() == ("first", "stylegan")
            put(path, guide("second", "vae"))
            await until(("second", "beta-vae"))
            with caplog.at_level(logging.ERROR):
                put(path, BROKEN)
                async with asyncio.timeout(30):
                    while failures() == before:
                        await asyncio.sleep(0.05)
            assert await decided() == ("second", "beta-vae")
            assert f"{path}:6: colour" in caplog.text
            path.unlink()
            async with asyncio.timeout(30):
                while failures() < before + 2:
                    await asyncio.sleep(0.05)
            assert await decided() == ("second", "beta-vae")
            put(path, guide("third", "flow"))
            await until(("third", "glow"))
    finally:
        await gateway.drain()
    assert REGISTRY.get_sample_value("sextant_guide_loaded_timestamp_seconds") > 0


async def test_a_file_that_was_only_touched_is_no_new_guide(tmp_path):
    path = tmp_path / "guide.yaml"
    path.write_text(guide("same", "gan"))
    keeper = GuideKeeper(path)
    first = keeper.guide
    os.utime(path, ns=(1, 1))
    assert not await keeper.look()
    assert keeper.guide is first


def test_a_gateway_does_not_start_without_a_guide_that_is_right(tmp_path):
    path = tmp_path / "guide.yaml"
    path.write_text(BROKEN)
    with pytest.raises(GuideError, match=":6: colour"):
        GuideKeeper(path)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("    canary: {model: a, share: 1.5}\n", ":6: canary.share"),
        ("    canary:\n      model: a\n      share: 0\n", ":8: canary.share"),
        ("    shadow:\n      model: a\n", ":6: shadow.share"),
        ("    shadow: {model: a, share: 0.1, model: b}\n", ":6: model: is given twice"),
        ("    examples:\n      - fine\n      - ''\n", ":8: examples.1"),
        ("intent:\n  temperature: 0\n", ":7: intent.temperature: "),
        ("intent: {least_confidence: 2}\n", ":6: intent.least_confidence"),
    ],
)
def test_a_mistake_within_a_row_or_the_settings_is_told_with_its_own_line(tmp_path, text, complaint):
    path = tmp_path / "guide.yaml"
    path.write_text("rows:\n  - name: a\n    task: score\n    families: [gan]\n    reason: x\n" + text)
    with pytest.raises(GuideError) as refused:
        GuideKeeper(path)
    assert complaint.replace("intent.", "") in str(refused.value)
