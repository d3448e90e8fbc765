"""The graphs that recipes publish fit the stages that they are published with, before anything is trained."""

import pytest

from sextant.bundles.manifest import LatentSpace
from sextant.contract.media import Modality
from sextant.contract.tasks import TaskKind
from sextant.hybrids.hybrid import build_hybrid
from sextant.hybrids.latent_diffusion import latent_diffusion_graph
from sextant.zoo.data.captioned_faces import SENTENCE_MODEL, SENTENCE_SPACE, TOKEN_SPACE, WIDTH
from sextant.zoo.recipes import all_recipes
from sextant.zoo.recipes.hybrids import cascade, latent_diffusion, parti, unclip, vqgan
from sextant.zoo.recipes.hybrids.words import CONTEXT
from tests.hybrids.manifests import hybrid, model

_T, _I, _L = Modality.TEXT, Modality.IMAGE, Modality.LATENT
_GENERATE, _TRANSFORM, _ENCODE, _DECODE = TaskKind.GENERATE, TaskKind.TRANSFORM, TaskKind.ENCODE, TaskKind.DECODE
_CODE = LatentSpace(id="faces-latent/z", shape=(4, 8, 8))
_PLACES = LatentSpace(id=vqgan.CODE, shape=vqgan.PLACES)
_SENTENCE = LatentSpace(id=SENTENCE_SPACE, shape=(WIDTH,))
_AS_CONDITION = LatentSpace(id=SENTENCE_SPACE, shape=(WIDTH,), condition=True)
_FACE = {"height": 64, "width": 64, "channels": 3}
_SMALL = {"height": 16, "width": 16, "channels": 3}

_BOTH = (_GENERATE, _TRANSFORM)
_TOKENS = LatentSpace(id=TOKEN_SPACE, shape=(0, WIDTH))
_AS_SAID = CONTEXT.latent_space

MODELS = {
    found.name: found
    for found in (
        model(SENTENCE_MODEL, "transformer", (_ENCODE,), (_T,), (_L,), (_SENTENCE, _TOKENS)),
        model(latent_diffusion.VAE, "vae", (_ENCODE, _DECODE), (_I, _L), (_I, _L), (_CODE,), **_FACE),
        model(latent_diffusion.DENOISER, "diffusion", _BOTH, (_L,), (_L,), (_CODE, _AS_SAID)),
        model(cascade.SMALL, "diffusion", (_GENERATE,), (_I, _L), (_I,), (_AS_SAID,), **_SMALL),
        model(cascade.ENLARGER, "diffusion", (_GENERATE,), (_I,), (_I,), (), **_FACE, given=_SMALL),
        model(unclip.TOWER, "transformer", (_ENCODE,), (_I,), (_L,), (_SENTENCE,), **_FACE),
        model(unclip.PRIOR, "diffusion", (_GENERATE,), (_L,), (_L,), (_SENTENCE, _AS_CONDITION)),
        model(unclip.DENOISER, "diffusion", _BOTH, (_L,), (_L,), (_CODE, _AS_CONDITION)),
        model(vqgan.VQ, "gan", (_ENCODE, _DECODE), (_I, _L), (_I, _L), (_PLACES,), **_FACE),
        model(vqgan.TRANSFORMER, "transformer", _BOTH, (_L,), (_L,), (_PLACES,)),
        model(parti.TRANSFORMER, "transformer", _BOTH, (_L,), (_L,), (_PLACES, _AS_SAID)),
    )
}


@pytest.mark.parametrize(
    "graphs",
    [
        latent_diffusion_graph(
            SENTENCE_MODEL, latent_diffusion.DENOISER, latent_diffusion.VAE, _CODE.id, TOKEN_SPACE, empty_prompt=False
        ),
        {"generate": cascade.cascade_graph(cascade.SMALL, cascade.ENLARGER)},
        unclip.unclip_graph(unclip.DENOISER),
        {"generate": unclip.ranked_graph(unclip.TOWER)},
        vqgan.vqgan_graph(vqgan.TRANSFORMER),
        parti.parti_graph(parti.TRANSFORMER),
    ],
    ids=["latent diffusion", "cascade", "unclip", "ranked", "vqgan", "parti"],
)
def test_a_recipes_graph_fits_its_stages(graphs):
    found = build_hybrid(hybrid(graph=graphs, tasks=list(graphs)), MODELS)
    assert found.manifest.network["height"] == found.manifest.network["width"] == 64


def test_candidates_are_ranked_where_pictures_and_sentences_meet():
    plan = build_hybrid(hybrid(graph={"generate": unclip.ranked_graph(unclip.TOWER)}), MODELS).plans[_GENERATE]
    assert plan.spaces["look"] == plan.spaces["compare"] == SENTENCE_SPACE
    assert plan.spaces["read"] == TOKEN_SPACE


def test_every_stage_that_is_trained_has_a_recipe():
    trained = set(MODELS) - {SENTENCE_MODEL}
    assert trained <= set(all_recipes())
