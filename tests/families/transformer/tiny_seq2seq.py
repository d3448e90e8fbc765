"""Small random T5s as Hugging Face directories, with a tokenizer of SentencePiece's kind."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from tokenizers.decoders import Metaspace as MetaspaceDecoder
from tokenizers.models import Unigram
from tokenizers.pre_tokenizers import Metaspace
from transformers import T5Config, T5ForConditionalGeneration

from sextant.bundles.progress import no_progress
from sextant.bundles.store import Bundle
from sextant.bundles.writer import ImportOptions
from sextant.families.transformer.seq2seq_import import import_seq2seq
from sextant.families.transformer.seq2seq_sampler import Seq2SeqSampler
from sextant.runtime.session import SessionConfig

PADDING, END = 0, 1
_SPECIAL = ["<pad>", "</s>", "<unk>"]
_WORDS = ["▁the", "▁cat", "▁dog", "▁sat", "▁on", "▁mat", "ing", "▁", "é", *"abcdefghijklmnopqrstuvwxyz"]
VOCABULARY = [
    (word, 0.0 if word in _SPECIAL else -float(2 + place % 7)) for place, word in enumerate(_SPECIAL + _WORDS)
]
MOST_TOKENS = 70  # no multiple of 16, on purpose
# The two generations of T5: ReLU and one matrix for all words; a gated MLP and a head of its own.
KINDS: dict[str, dict[str, Any]] = {
    "t5": {"feed_forward_proj": "relu", "tie_word_embeddings": True},
    "t5-1.1": {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False},
}


@dataclass(frozen=True)
class ImportedSeq2Seq:
    """A bundle with the model that it was made of."""

    bundle: Bundle
    model: T5ForConditionalGeneration

    def sampler(self) -> Seq2SeqSampler:
        return Seq2SeqSampler(self.bundle, SessionConfig())


def tokenizer() -> Tokenizer:
    made = Tokenizer(Unigram(VOCABULARY, unk_id=2))
    made.add_special_tokens(_SPECIAL)
    made.pre_tokenizer = Metaspace(prepend_scheme="always")
    made.decoder = MetaspaceDecoder(prepend_scheme="always")
    return made


def save(directory: Path, kind: str, **changes: Any) -> T5ForConditionalGeneration:
    """A T5 of awkward sizes whose answers are far from uniform, saved to `directory`."""
    torch.manual_seed(5)
    sizes: dict[str, Any] = {
        "vocab_size": len(VOCABULARY) + 5,  # padded, as T5's is
        "d_model": 28,
        "d_kv": 6,
        "d_ff": 44,
        "num_layers": 2,
        "num_decoder_layers": 3,
        "num_heads": 5,
        "relative_attention_num_buckets": 8,
        "relative_attention_max_distance": 20,
        "decoder_start_token_id": PADDING,
        "pad_token_id": PADDING,
        "eos_token_id": END,
        **KINDS[kind],
        **changes,
    }
    model = T5ForConditionalGeneration(T5Config(**sizes)).eval()
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            spread = 1.0 if "relative_attention_bias" in name else 0.3
            if parameter.ndim == 1:
                parameter.add_(torch.randn(parameter.shape, generator=generator) * spread)
            elif "lm_head" not in name and "shared" not in name:
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * spread)
    model.save_pretrained(directory)
    tokenizer().save(str(directory / "tokenizer.json"))
    return model


def imported(home: Path, kind: str, **options: Any) -> ImportedSeq2Seq:
    model = save(home / "hf", kind)
    chosen = ImportOptions(**{"name": "tiny", "context_tokens": MOST_TOKENS, **options})
    return ImportedSeq2Seq(import_seq2seq(home / "hf", home / "bundles", chosen, no_progress), model)


def ids_of(text: str) -> list[int]:
    """What the model reads of a text."""
    return [*tokenizer().encode(text, add_special_tokens=False).ids, END]


def rewrite(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
