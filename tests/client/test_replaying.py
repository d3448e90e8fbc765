"""Answers that are kept, asked for again, and compared."""

from contextlib import closing

import pytest

from sextant.client import AsyncClient, Client, NotFound, as_line, read_stored
from sextant.client.replaying import compared, pinned
from sextant.contract.errors import SextantError
from sextant.contract.v1 import generation_pb2, guide_pb2, media_pb2, receipts_pb2


@pytest.fixture
def kept() -> list[receipts_pb2.StoredAnswer]:
    return []


def test_every_answer_is_kept_once_it_is_whole(target, kept):
    with Client(target, keep=kept.append) as client:
        client.generate_text("go", model="probe", max_tokens=3).read()
        client.encode(["a", "b"], model="probe")
        client.encode_stream(["a"], model="probe").read()
        with closing(client.generate_text("sleep=0.01", model="probe", max_tokens=1000).pieces()) as pieces:
            next(pieces)
    assert [answer.WhichOneof("request") for answer in kept] == ["generate", "encode", "encode_stream"]
    assert kept[0].generate.prompt == "go"
    assert [len(answer.receipt.items) for answer in kept] == [1, 2, 1]


def test_what_was_kept_is_the_same_when_asked_for_again(target, kept, tmp_path):
    """Also what brought no seed; also from a file."""
    with Client(target, keep=kept.append) as client:
        client.generate_text("go", model="probe", max_tokens=3).read()
        client.encode(["a", "b"], model="probe")
        path = tmp_path / "receipts.jsonl"
        path.write_text("".join(as_line(answer) for answer in kept))
        replayed = [client.replay(answer) for answer in read_stored(path)]
    assert [(r.kind, r.items, r.same, r.changes) for r in replayed] == [
        ("generate", 1, True, ()),
        ("encode", 2, True, ()),
    ]
    assert len(kept) == 2


async def test_the_asyncio_client_keeps_and_asks_again_as_well(target, kept):
    async with AsyncClient(target, keep=kept.append) as client:
        await client.generate_text("go", model="probe", max_tokens=3).read()
        await client.encode(["a"], model="probe")
        assert [(await client.replay(answer)).same for answer in kept] == [True, True]


def test_other_bytes_are_found_by_what_came_not_by_what_a_receipt_says(target, kept):
    with Client(target, keep=kept.append) as client:
        client.encode(["a", "b", "c"], model="probe")
        kept[0].receipt.items[1].sha256 = bytes(32)
        kept[0].receipt.bundle_digest = "0" * 64
        kept[0].receipt.onnxruntime_version = "0.1"
        replayed = client.replay(kept[0])
    assert (replayed.same, replayed.differing) == (False, (1,))
    first, second = replayed.changes
    assert first.startswith(f"digest of the bundle was {'0' * 64}, is ")
    assert second.startswith("version of ONNX Runtime was 0.1, is ")


def test_a_model_that_is_gone_is_an_error_not_a_verdict(target, kept):
    with Client(target, keep=kept.append) as client:
        client.encode(["a"], model="probe")
        kept[0].receipt.model = "gone"
        with pytest.raises(NotFound):
            client.replay(kept[0])


def test_what_a_deadline_cut_short_cannot_be_compared(kept):
    deadline = generation_pb2.FINISH_REASON_DEADLINE
    items = [generation_pb2.ItemReceipt(sha256=b"1", finish_reason=deadline), generation_pb2.ItemReceipt(sha256=b"2")]
    answer = receipts_pb2.StoredAnswer(
        generate=generation_pb2.GenerateRequest(), receipt=generation_pb2.Receipt(items=items)
    )
    replayed = compared(answer, "generate", {0: b"other", 1: b"2"}, answer.receipt)
    assert (replayed.same, replayed.differing, replayed.untold) == (False, (), (0,))


def test_asking_again_pins_model_seed_and_the_way_that_a_deadline_chose():
    request = generation_pb2.GenerateRequest(diffusion=generation_pb2.DiffusionParameters(guidance=3.0))
    request.options.request_id, request.options.partial_on_deadline = "old", True
    tier = guide_pb2.Tier(name="dpm-solver++2m/10", steps=10, set_for_deadline=True)
    receipt = generation_pb2.Receipt(model="fashion-diffusion", seed=2**64 - 1, tier=tier)
    kind, asked = pinned(receipts_pb2.StoredAnswer(generate=request, receipt=receipt))
    assert kind == "generate"
    assert (asked.options.model, asked.options.seed) == ("fashion-diffusion", 2**64 - 1)
    assert not asked.options.partial_on_deadline
    assert not asked.options.request_id
    way = generation_pb2.DIFFUSION_SAMPLER_DPM_SOLVER_PP_2M
    assert (asked.diffusion.sampler, asked.diffusion.steps, asked.diffusion.guidance) == (way, 10, 3.0)
    receipt.tier.set_for_deadline = False
    _, asked = pinned(receipts_pb2.StoredAnswer(generate=request, receipt=receipt))
    assert not asked.diffusion.HasField("steps")


def test_asking_again_spells_out_what_plain_words_were_taken_for():
    request = generation_pb2.GenerateRequest(options=generation_pb2.Options(intent="a quick picture of a boot"))
    receipt = generation_pb2.Receipt(model="fashion-dcgan")
    receipt.decision.understood.output = media_pb2.MODALITY_IMAGE
    receipt.decision.understood.class_label = "ankle boot"
    _, asked = pinned(receipts_pb2.StoredAnswer(generate=request, receipt=receipt))
    assert (asked.output, asked.conditions.class_label, asked.prompt) == (media_pb2.MODALITY_IMAGE, "ankle boot", "")
    receipt.decision.understood.output = media_pb2.MODALITY_TEXT
    _, asked = pinned(receipts_pb2.StoredAnswer(generate=request, receipt=receipt))
    assert (asked.prompt, asked.options.intent) == ("a quick picture of a boot", "")


@pytest.mark.parametrize(
    "line", ["{", "[]", "{}", '{"generate": {}}', '{"receipt": {"items": [{}]}}', '{"generate": 3}']
)
def test_a_line_that_is_no_stored_answer_is_named(tmp_path, line):
    path = tmp_path / "receipts.jsonl"
    path.write_text("\n" + line + "\n")
    with pytest.raises(SextantError, match=r"receipts\.jsonl:2: is no stored answer"):
        list(read_stored(path))


def test_fields_of_a_later_version_are_passed_over(tmp_path):
    path = tmp_path / "receipts.jsonl"
    path.write_text('{"generate": {"prompt": "x", "mood": 1}, "receipt": {"items": [{"steps": 1}], "moon": "full"}}')
    (answer,) = read_stored(path)
    assert answer.generate.prompt == "x"
