"""CLIP's text encoder, as a diffusers pipeline holds it, into a bundle. Needs torch: importing only."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import CLIPTextModel, CLIPTokenizerFast

from sextant.bundles.store import Bundle
from sextant.bundles.writer import write_bundle
from sextant.contract.errors import BundleRefused
from sextant.contract.media import Modality
from sextant.contract.tasks import TaskKind
from sextant.families.onnx_export import export, parity
from sextant.families.provenance import Provenance
from sextant.families.transformer.clip_config import ClipTextConfig
from sextant.families.transformer.clip_sampler import NETWORK_FILE, TOKENIZER_FILE

_ROWS = 4


class _States(nn.Module):
    """ids int64[b, tokens] -> the last layer's states, normalised, [b, tokens, width]."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, ids: Tensor) -> Tensor:
        states: Tensor = self.model(input_ids=ids).last_hidden_state
        return states


def import_clip_text(
    weights: Path, tokenizer: Path, destination: Path, name: str, *, provenance: Provenance
) -> tuple[Bundle, ClipTextConfig]:
    """Makes the bundle `destination / name`. Raises `BundleRefused` where the directories hold nothing of the kind."""
    try:
        model = CLIPTextModel.from_pretrained(weights, use_safetensors=True).eval().float()
        texts = CLIPTokenizerFast.from_pretrained(tokenizer)
    except (OSError, ValueError) as error:
        raise BundleRefused(name, f"{weights.name}: {error}") from error
    config = ClipTextConfig(
        tokens=model.config.max_position_embeddings,
        width=model.config.hidden_size,
        space=f"{name}/tokens",
        pad=int(texts.pad_token_id),
    )
    ids = torch.randint(model.config.vocab_size, (_ROWS, config.tokens))
    network = export(_States(model), {"input_ids": ids}, ["states"])
    bundle = write_bundle(
        destination,
        {NETWORK_FILE: network.onnx, TOKENIZER_FILE: texts.backend_tokenizer.to_str().encode("utf-8")},
        name=name,
        family="transformer",
        architecture="clip-text",
        tasks=(TaskKind.ENCODE,),
        inputs=(Modality.TEXT,),
        outputs=(Modality.LATENT,),
        latent_spaces=(config.latent_space,),
        context_tokens=config.tokens,
        deterministic=True,
        parity=parity((network,)),
        network=config.model_dump(),
        **provenance.fields(),
    )
    return bundle, config
