"""The Parti kind (Yu et al. 2022): an encoder-decoder from words to codes of a face, and a VQ-GAN from those to it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sextant.bundles.store import Bundle
from sextant.families.transformer.codes_networks import CodeTransformer
from sextant.families.transformer.codes_train import CodeTraining
from sextant.zoo.data import captioned_faces
from sextant.zoo.data.captioned_faces import SENTENCE_MODEL, TOKEN_SPACE, TOKENS, WIDTH
from sextant.zoo.recipe import Recipe
from sextant.zoo.recipes.hybrids.vqgan import (
    CODES,
    PLACES,
    codes_of_faces,
    publish_transformer,
    vqgan_graph,
    write_code_graph,
)
from sextant.zoo.recipes.hybrids.words import FACES, SEED

HYBRID, TRANSFORMER = "faces-parti", "faces-parti-transformer"


def _codes_and_words() -> Sequence[Tensor]:
    """Codes uint8[n, 64], the captions' states and lengths. Raises `ModelNotFound` where a stage is missing."""
    captions = captioned_faces.load(FACES, SEED).captions
    said = captioned_faces.words(f"faces-{FACES}-{SEED}", captions)
    return codes_of_faces(), torch.from_numpy(said.states), torch.from_numpy(said.lengths)


def _publish(training: CodeTraining, name: str, directory: Path) -> Bundle:
    """The transformer, and beside it the hybrid."""
    about = "Codes of faces from words; a stage of"
    bundle = publish_transformer(training, name, directory, about, HYBRID, TOKEN_SPACE, guidance=3.0, temperature=0.7)
    about = "Pixel-art faces, 64 x 64, from words, code by code."
    write_code_graph(directory, HYBRID, "parti", parti_graph(name), about)
    return bundle


def parti_graph(transformer: str) -> dict[str, Any]:
    """The graphs of the VQ-GAN kind, told words; by the name of the transformer that composes codes."""
    graphs = vqgan_graph(transformer)
    for graph in graphs.values():
        graph["stages"] = {"read": {"model": SENTENCE_MODEL, "task": "encode"}, **graph["stages"]}
        graph["edges"] = [
            {"from": "request.prompt", "to": "read.source"},
            {"from": "read", "to": "compose.conditions", "space": TOKEN_SPACE},
            *graph["edges"],
        ]
    return graphs


RECIPES = (
    Recipe(
        name=TRANSFORMER,
        family="transformer",
        summary="Encoder-decoder from words to codes of faces: the Parti kind.",
        data=_codes_and_words,
        build=lambda: CodeTraining(CodeTransformer(CODES, PLACES, (TOKENS, WIDTH))),
        publish=_publish,
        steps=2_500,
        batch=32,
        core_hours=0.64,
    ),
)
