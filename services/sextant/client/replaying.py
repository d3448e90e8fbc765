"""Asking again: what a stored request must say so that the same is made, and whether it was."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sextant.contract.to_wire import content_sha256
from sextant.contract.v1 import generation_pb2, media_pb2, receipts_pb2
from sextant.contract.wire_enums import DIFFUSION_SAMPLER_FROM_WIRE

STREAMED = frozenset({"generate", "transform", "interpolate", "encode_stream"})

_DIFFUSION_SAMPLER = {str(sampler): number for number, sampler in DIFFUSION_SAMPLER_FROM_WIRE.items()}
# What decides the bytes besides request and seed, in words and as receipts have it.
_CAUSES = {
    "model": "model",
    "version of the bundle": "version",
    "digest of the bundle": "bundle_digest",
    "provider": "provider",
    "version of ONNX Runtime": "onnxruntime_version",
    "version of NumPy": "numpy_version",
    "version of Sextant": "sextant_version",
    "processor": "processor",
}
_STAGE_CAUSES = ("model", "version", "bundle_digest", "provider", "onnxruntime_version")


@dataclass(frozen=True, slots=True)
class Replayed:
    """What came of asking again. `differing` are the items whose bytes are others, `untold` those that a deadline had

    cut short, which nothing can bring back. `changes` is what the receipts say was otherwise this time, in words.
    """

    kind: str
    model: str
    items: int
    differing: tuple[int, ...]
    untold: tuple[int, ...]
    changes: tuple[str, ...]

    @property
    def same(self) -> bool:
        """Whether every item was there to compare, and its bytes are the same."""
        return not self.differing and not self.untold


def pinned(answer: receipts_pb2.StoredAnswer) -> tuple[str, Any]:
    """The kind of request, and the request with all that was decided for it the first time: model, seed and way."""
    kind, receipt = answer.WhichOneof("request") or "", answer.receipt
    asked = type(getattr(answer, kind))()
    asked.CopyFrom(getattr(answer, kind))
    if receipt.decision.HasField("understood"):
        _spell_out(asked, receipt)
    options = asked.options
    options.model, options.seed = receipt.model, receipt.seed
    options.ClearField("request_id")
    options.ClearField("intent")
    options.ClearField("partial_on_deadline")
    if receipt.tier.set_for_deadline:
        asked.diffusion.steps = receipt.tier.steps
        sampler = _DIFFUSION_SAMPLER.get(receipt.tier.name.rpartition("/")[0])
        if sampler is not None:
            asked.diffusion.sampler = sampler
    return kind, asked


def compared(
    answer: receipts_pb2.StoredAnswer, kind: str, digests: dict[int, bytes], receipt: generation_pb2.Receipt
) -> Replayed:
    """The verdict. `digests` are of what came this time, by item; the new receipt only says how."""
    before = answer.receipt
    untold = tuple(
        item for item, told in enumerate(before.items) if told.finish_reason == generation_pb2.FINISH_REASON_DEADLINE
    )
    differing = tuple(
        item for item, told in enumerate(before.items) if item not in untold and digests.get(item) != told.sha256
    )
    return Replayed(kind, receipt.model, len(before.items), differing, untold, tuple(_changes(before, receipt)))


def digest_of(event: generation_pb2.GenerateEvent) -> tuple[int, bytes] | None:
    """The number and digest of the item that an event brings; None where it brings none."""
    if event.WhichOneof("event") != "result":
        return None
    return event.result.item, content_sha256(event.result.media)


def digests_of(response: Any) -> dict[int, bytes]:
    """The digests of an answer that came whole."""
    match response:
        case generation_pb2.EncodeResponse():
            found = [content_sha256(media_pb2.Media(latent=latent)) for latent in response.latents]
        case generation_pb2.DecodeResponse():
            found = [content_sha256(item) for item in response.items]
        case _:
            found = [hashlib.sha256(one.SerializeToString(deterministic=True)).digest() for one in response.likelihoods]
    return dict(enumerate(found))


def _spell_out(asked: Any, receipt: generation_pb2.Receipt) -> None:
    """What plain words were taken for; a request that names its model is not read for them."""
    said = receipt.decision.understood
    if said.class_label and not asked.conditions.class_label:
        asked.conditions.class_label = said.class_label
    if isinstance(asked, generation_pb2.GenerateRequest):
        asked.output = said.output
        if said.output == media_pb2.MODALITY_TEXT and not asked.HasField("prompt") and not asked.HasField("chat"):
            asked.prompt = asked.options.intent


def _changes(before: generation_pb2.Receipt, after: generation_pb2.Receipt) -> Iterator[str]:
    for words, field in _CAUSES.items():
        yield from _change(words, getattr(before, field), getattr(after, field))
    stages = {stage.stage: stage for stage in after.stages}
    for stage in before.stages:
        now = stages.get(stage.stage, generation_pb2.StageReceipt())
        for field in _STAGE_CAUSES:
            yield from _change(f"{field} of stage {stage.stage}", getattr(stage, field), getattr(now, field))


def _change(words: str, before: str, after: str) -> Iterator[str]:
    if before != after:
        yield f"{words} was {before or 'not told'}, is {after or 'not told'}"
