"""Sequence to sequence: how an English word is said, phoneme by phoneme."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, normalizers
from torch import Tensor
from transformers import T5Config, T5ForConditionalGeneration

from sextant.bundles.store import Bundle
from sextant.bundles.writer import ImportOptions
from sextant.families.importing import import_model
from sextant.families.onnx_export import rounded
from sextant.families.transformer.seq2seq_text import SOURCE_TOKENIZER_FILE, TOKENIZER_FILE
from sextant.families.transformer.seq2seq_train import Seq2SeqTraining
from sextant.zoo.data.phonemes import PROVENANCE, lexicon
from sextant.zoo.recipe import Recipe

_PADDING, _END, _UNKNOWN = 0, 1, 2
_SPECIAL = ("<pad>", "</s>", "<unk>")
_LETTERS = "abcdefghijklmnopqrstuvwxyz'"
_PHONEMES = "ˈˌəɹnsltkɪidmpɛæɑbOfIAɾzʌɡᵊvʃɔuŋwʤhjɜʧθʊᵻWYðʒʔ"
_COLUMNS = 32
_MOST_TOKENS = 64


def tokenizer() -> Tokenizer:
    """A token for each letter and each phoneme."""
    alphabet = sorted(set(_LETTERS) | set(_PHONEMES))
    vocabulary = {token: index for index, token in enumerate([*_SPECIAL, *alphabet])}
    made = Tokenizer(models.BPE(vocabulary, [], unk_token="<unk>", fuse_unk=False))
    made.add_special_tokens(list(_SPECIAL))
    made.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Fuse()])
    return made


def source_tokenizer() -> Tokenizer:
    """The same of letters alone, however a word is written: capitals, accents and a typographer's apostrophe."""
    made = tokenizer()
    made.normalizer = normalizers.Sequence(
        [
            normalizers.Strip(),
            normalizers.NFD(),
            normalizers.StripAccents(),
            normalizers.Lowercase(),
            normalizers.Replace("’", "'"),
        ]
    )
    return made


def _words() -> tuple[Tensor, Tensor]:
    words, tokens = lexicon("train"), tokenizer()
    source = _padded([tokens.encode(word.word).ids for word in words])
    return source, _padded([tokens.encode(word.phonemes).ids for word in words])


def _padded(sequences: list[list[int]]) -> Tensor:
    ids = np.full((len(sequences), _COLUMNS), _PADDING, np.uint8)
    for row, sequence in zip(ids, sequences, strict=True):
        row[: len(sequence) + 1] = [*sequence, _END]
    return torch.from_numpy(ids)


def _build() -> Seq2SeqTraining:
    config = T5Config(
        vocab_size=tokenizer().get_vocab_size(),
        d_model=144,
        d_kv=36,
        d_ff=384,
        num_layers=3,
        num_decoder_layers=3,
        num_heads=4,
        feed_forward_proj="gated-gelu",
        dropout_rate=0.05,
        tie_word_embeddings=False,
        pad_token_id=_PADDING,
        eos_token_id=_END,
        decoder_start_token_id=_PADDING,
    )
    return Seq2SeqTraining(T5ForConditionalGeneration(config), rate=2e-3, padding=_PADDING)


def _publish(training: Seq2SeqTraining, name: str, directory: Path) -> Bundle:
    """By way of a Hugging Face directory, as anyone's T5 is imported."""
    network = rounded(training.network)
    with TemporaryDirectory() as scratch:
        network.save_pretrained(scratch)
        tokenizer().save(str(Path(scratch) / TOKENIZER_FILE))
        source_tokenizer().save(str(Path(scratch) / SOURCE_TOKENIZER_FILE))
        options = ImportOptions(
            name=name,
            version="1.0.0",
            description="How an English word is said: letters in, phonemes out (T5-kind encoder-decoder).",
            license="Apache-2.0",
            provenance=PROVENANCE,
            context_tokens=_MOST_TOKENS,
            defaults={"temperature": 0.0, "max_tokens": 40},
        )
        return import_model(Path(scratch), directory, options)


RECIPES = (
    Recipe(
        name="us-phonemes",
        family="transformer",
        summary="T5-kind encoder-decoder on the US lexicon: how an English word is said.",
        data=_words,
        build=_build,
        publish=_publish,
        steps=4_500,
        batch=256,
        core_hours=0.9,
    ),
)
