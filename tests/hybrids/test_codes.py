"""Pictures made of codes: drawn from nothing, completed, and drawn from words, by the graphs that recipes publish."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from sextant.bundles.progress import no_progress
from sextant.bundles.store import BundleStore
from sextant.bundles.writer import ImportOptions
from sextant.contract.errors import InvalidRequest
from sextant.contract.media import Image
from sextant.contract.tasks import CodeParameters, HybridParameters, Task, TaskKind, VaeParameters
from sextant.families.gan import FAMILY as GAN
from sextant.families.gan.vq_export import export_vq
from sextant.families.gan.vq_networks import VqGan
from sextant.families.gan.vq_train import revive
from sextant.families.provenance import Provenance
from sextant.families.transformer.codes_export import export_codes
from sextant.families.transformer.codes_networks import CodeTransformer
from sextant.families.transformer.encoder_import import import_encoder
from sextant.runtime.session import SessionConfig
from sextant.zoo.data.captioned_faces import SENTENCE_MODEL, TOKEN_SPACE
from sextant.zoo.recipes.hybrids import parti, vqgan
from tests.families.running import run_one
from tests.families.transformer.encoder_checkpoint import bert
from tests.hybrids.local import co_located, distributed, events_of, progress_of, results_of

_SIZE, _TOKENS = 64, 12
_STAGES = {
    "gan": [vqgan.VQ],
    "transformer": [SENTENCE_MODEL, vqgan.TRANSFORMER, parti.TRANSFORMER],
}
_UNTRAINED = Provenance("Nothing.", "Untrained.")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """All stages, untrained and small, by the names that the graphs know them by; and both hybrids."""
    home = tmp_path_factory.mktemp("codes")
    torch.manual_seed(0)
    vq = VqGan(_SIZE, 3, codes=vqgan.CODES, depth=4, width=8)
    with torch.no_grad():
        revive(vq.codebook, vq.encoder(torch.rand(16, 3, _SIZE, _SIZE)))
    export_vq(vq, torch.rand(8, 3, _SIZE, _SIZE), home, vqgan.VQ, provenance=_UNTRAINED)
    width = bert(home / "checkpoint")[0].config.hidden_size
    import_encoder(home / "checkpoint", home, ImportOptions(name=SENTENCE_MODEL), no_progress)
    sizes = {"width": 16, "layers": 1, "heads": 2, "readers": 1}
    plain = CodeTransformer(vqgan.CODES, vqgan.PLACES, **sizes)
    export_codes(plain, home, vqgan.TRANSFORMER, vqgan.CODE, provenance=_UNTRAINED)
    told = CodeTransformer(vqgan.CODES, vqgan.PLACES, (_TOKENS, width), **sizes)
    export_codes(
        told,
        home,
        parti.TRANSFORMER,
        vqgan.CODE,
        provenance=_UNTRAINED,
        words=TOKEN_SPACE,
        defaults={"guidance": 3.0},
    )
    vqgan.write_code_graph(home, vqgan.HYBRID, "vqgan", vqgan.vqgan_graph(vqgan.TRANSFORMER), "Faces.")
    vqgan.write_code_graph(home, parti.HYBRID, "parti", parti.parti_graph(parti.TRANSFORMER), "Faces from words.")
    return BundleStore([home])


def _picture() -> Image:
    return Image(np.random.default_rng(2).integers(0, 256, (_SIZE, _SIZE, 3)).astype(np.uint8))


def _lower_half() -> Image:
    mask = np.zeros((_SIZE, _SIZE, 1), np.uint8)
    mask[_SIZE // 2 :] = 255
    return Image(mask)


def _tasks() -> dict[str, list[Task]]:
    """For each hybrid something of all that it does."""
    completing = {"source": _picture(), "mask": _lower_half()}
    return {
        vqgan.HYBRID: [
            Task(TaskKind.GENERATE, 3, parameters=CodeParameters(preview_every_steps=16)),
            Task(TaskKind.TRANSFORM, 3, **completing),
        ],
        parti.HYBRID: [
            Task(TaskKind.GENERATE, 3, prompt="the red cat"),
            Task(TaskKind.TRANSFORM, 3, prompt="the red cat", **completing),
        ],
    }


@pytest.mark.parametrize("hybrid", [vqgan.HYBRID, parti.HYBRID])
async def test_pictures_are_made_by_the_graph_with_the_same_bytes_wherever_it_runs(store, hybrid):
    async with distributed(store, hybrid, _STAGES) as (apart, _), co_located(store, hybrid) as together:
        for task in _tasks()[hybrid]:
            events = await events_of(apart, hybrid, [task])
            (made,) = results_of(events)
            assert made.content.pixels.shape == (_SIZE, _SIZE, 3)
            places = vqgan.PLACES[0] * vqgan.PLACES[1]
            assert len(progress_of(events)) == places + (hybrid == parti.HYBRID)
            (same,) = results_of(await events_of(together, hybrid, [task]))
            assert same.content.pixels.tobytes() == made.content.pixels.tobytes()


async def test_a_completion_keeps_the_codes_of_the_given_half_and_draws_the_rest(store):
    vq = GAN.load(store.open(vqgan.VQ), SessionConfig())
    given = run_one(vq, Task(TaskKind.ENCODE, 0, source=_picture())).content.mean
    task = Task(TaskKind.TRANSFORM, 3, source=_picture(), mask=_lower_half())
    async with distributed(store, vqgan.HYBRID, _STAGES) as (dispatcher, stages):
        results = [
            results_of(await events_of(dispatcher, vqgan.HYBRID, [replace(task, seed=seed)]))[0] for seed in (3, 4)
        ]
    asked = [request.tasks[0] for request in stages.requests]
    painted = [one.source.mean for one in asked if one.kind is TaskKind.DECODE]
    assert all((codes[:4] == given[:4]).all() for codes in painted)
    assert all((codes[4:] != given[4:]).any() for codes in painted)
    assert (painted[0] != painted[1]).any()
    assert results[0].content.pixels.tobytes() != results[1].content.pixels.tobytes()


async def test_previews_of_codes_are_shown_as_pictures(store):
    task = _tasks()[vqgan.HYBRID][0]
    async with co_located(store, vqgan.HYBRID) as dispatcher:
        events = await events_of(dispatcher, vqgan.HYBRID, [task])
    shown = [progress.preview for progress in progress_of(events) if progress.preview is not None]
    assert [preview.pixels.shape for preview in shown] == [(_SIZE, _SIZE, 3)] * 4
    assert shown[-1].pixels.tobytes() == results_of(events)[0].content.pixels.tobytes()


async def test_words_change_the_picture(store):
    async with co_located(store, parti.HYBRID) as dispatcher:
        tasks = [
            Task(TaskKind.GENERATE, 3, prompt=prompt, parameters=CodeParameters(guidance=30.0, temperature=0.0))
            for prompt in ("the red cat", "a dog sings of old seas")
        ]
        first, second = [results_of(await events_of(dispatcher, parti.HYBRID, [task]))[0] for task in tasks]
    assert first.content.pixels.tobytes() != second.content.pixels.tobytes()


@pytest.mark.parametrize(
    ("hybrid", "task", "field"),
    [
        (vqgan.HYBRID, Task(TaskKind.TRANSFORM, 3, source=_picture()), "mask"),
        (vqgan.HYBRID, Task(TaskKind.TRANSFORM, 3, mask=_lower_half()), "source"),
        (vqgan.HYBRID, Task(TaskKind.GENERATE, 3, prompt="a cat"), "prompt"),
        (vqgan.HYBRID, Task(TaskKind.GENERATE, 3, parameters=CodeParameters(guidance=2.0)), "codes.guidance"),
        (vqgan.HYBRID, Task(TaskKind.GENERATE, 3, parameters=VaeParameters()), "parameters"),
        (
            vqgan.HYBRID,
            Task(TaskKind.GENERATE, 3, parameters=HybridParameters({"compose": CodeParameters(guidance=2.0)})),
            "hybrid.stages[compose].codes.guidance",
        ),
        (parti.HYBRID, Task(TaskKind.GENERATE, 3), "prompt"),
    ],
)
async def test_what_a_stage_refuses_is_told_by_the_part_of_the_request(store, hybrid, task, field):
    async with co_located(store, hybrid) as dispatcher:
        with pytest.raises(InvalidRequest) as refused:
            await events_of(dispatcher, hybrid, [task])
    assert refused.value.violations[0].field == field
