"""A foreign encoder-decoder into a bundle: read, build the graphs, measure them against the reference, write."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError
from tokenizers import Tokenizer

from sextant.bundles.manifest import Parity
from sextant.bundles.progress import ProgressFn
from sextant.bundles.store import Bundle
from sextant.bundles.verify import explain
from sextant.bundles.writer import ImportOptions, write_bundle
from sextant.contract.errors import BundleRefused
from sextant.contract.events import Estimator
from sextant.contract.media import Modality
from sextant.contract.tasks import TaskKind
from sextant.families.row_network import RowNetwork
from sextant.families.transformer.seq2seq_config import (
    BLOCK,
    Seq2SeqConfig,
    Seq2SeqDefaults,
    Seq2SeqNetworkConfig,
    blocks,
)
from sextant.families.transformer.seq2seq_graph import DECODER_FILE, ENCODER_FILE, write_seq2seq
from sextant.families.transformer.seq2seq_reference import seq2seq_logits
from sextant.families.transformer.seq2seq_source import Seq2SeqSource, read_seq2seq
from sextant.families.transformer.seq2seq_text import SOURCE_TOKENIZER_FILE, TOKENIZER_FILE, texts
from sextant.runtime.session import SessionConfig

DEFAULT_CONTEXT_TOKENS = 512
_KEPT_BYTES, _FLOAT32_BYTES = 1 << 30, 4
_FEWEST_ROWS, _MOST_ROWS = 4, 64
TOLERANCE = 1e-4  # largest error of a logit over the largest logit
_REFERENCE = "float64 NumPy reference, weights as imported"
_PARITY_TEXTS = (
    ("the quick brown fox jumps over the lazy dog", "and the dog does not mind"),
    ("rain", "sun"),
    ("what the day was like nobody could say afterwards it had been long and full of talk", "it was long"),
)


def import_seq2seq(source: Path, destination: Path, options: ImportOptions, progress: ProgressFn) -> Bundle:
    """Makes the bundle `destination / options.name` of a Hugging Face directory with a T5 in it.

    `options.context_tokens` bounds what is read and what is written, each. Raises `BundleRefused` where the weights
    cannot be read or the result is not at parity with the reference.
    """
    progress("reading weights", 0, None)
    if options.precision != "fp32":
        raise BundleRefused(options.name, "encoder-decoders are imported in fp32 only")
    model = read_seq2seq(source, options.name)
    most = options.context_tokens or DEFAULT_CONTEXT_TOKENS
    try:
        defaults = Seq2SeqDefaults.model_validate(options.defaults)
    except ValidationError as error:
        raise BundleRefused(options.name, f"defaults: {explain(error)}") from error
    rows = _rows_per_step(model.config, most)
    try:
        config = Seq2SeqNetworkConfig(model=model.config, tokens=model.tokens, rows_per_step=rows)
    except ValidationError as error:
        raise BundleRefused(options.name, explain(error)) from error
    texts(options.name, model.tokenizer_json, model.source_tokenizer_json, config, most)
    destination.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=f".{options.name}.import-", dir=destination) as scratch:
        progress("writing the network", 0, None)
        paths = write_seq2seq(Path(scratch), model.weights, model.config, most)
        networks = [RowNetwork(Path(scratch) / name, SessionConfig()) for name in (ENCODER_FILE, DECODER_FILE)]
        parity = _measure(networks[0], networks[1], model, most, progress)
        files: dict[str, Path | bytes] = {path.name: path for path in paths}
        files[TOKENIZER_FILE] = model.tokenizer_json.encode()
        if model.source_tokenizer_json is not None:
            files[SOURCE_TOKENIZER_FILE] = model.source_tokenizer_json.encode()
        progress("writing the bundle", 0, None)
        return write_bundle(
            destination,
            files,
            name=options.name,
            version=options.version,
            family="transformer",
            architecture="t5",
            description=options.description,
            tasks=(TaskKind.GENERATE, TaskKind.SCORE),
            inputs=(Modality.TEXT,),
            outputs=(Modality.TEXT,),
            score_estimator=Estimator.EXACT,
            deterministic=True,
            license=options.license,
            provenance=options.provenance,
            context_tokens=most,
            network=config.model_dump(mode="json", exclude_none=True),
            defaults=defaults.model_dump(mode="json"),
            parity=parity,
        )


def _rows_per_step(config: Seq2SeqConfig, most_tokens: int) -> int:
    """As many as have their keys and values in `_KEPT_BYTES`, at their longest."""
    row = 2 * 2 * config.decoder_layers * config.heads * config.head_dim * most_tokens * _FLOAT32_BYTES
    return min(_MOST_ROWS, max(_FEWEST_ROWS, _KEPT_BYTES // row))


def _measure(encoder: RowNetwork, decoder: RowNetwork, model: Seq2SeqSource, most: int, progress: ProgressFn) -> Parity:
    """The largest errors of the logits after every token of a few texts."""
    worst_abs = worst_rel = 0.0
    for done, (read, written) in enumerate(_PARITY_TEXTS):
        progress("comparing with the reference", done, len(_PARITY_TEXTS))
        source, target = _ids(model, read, most), _ids(model, written, most)
        target = [model.tokens.start, *target[: most - 1]]
        expected = seq2seq_logits(model.weights, model.config, source, target)
        error = float(np.abs(_served(encoder, decoder, model, source, target) - expected).max())
        worst_abs = max(worst_abs, error)
        worst_rel = max(worst_rel, error / float(np.abs(expected).max()))
    return Parity(max_abs_error=worst_abs, max_rel_error=worst_rel, tolerance=TOLERANCE, reference=_REFERENCE)


def _ids(model: Seq2SeqSource, text: str, most: int) -> list[int]:
    ids: list[int] = Tokenizer.from_str(model.tokenizer_json).encode(text, add_special_tokens=False).ids
    return [*ids[: most - 1], model.tokens.end[0]]


def _served(
    encoder: RowNetwork, decoder: RowNetwork, model: Seq2SeqSource, source: Sequence[int], target: Sequence[int]
) -> NDArray[np.float32]:
    """The logits [t, v] of the graphs, step by step."""
    c = model.config
    ids = np.zeros((1, BLOCK * blocks(len(source))), np.int64)
    ids[0, : len(source)] = source
    length = np.array([len(source)], np.int64)
    cross = encoder.run({"input_ids": ids, "length": length})["cross"]
    shape = (1, 2 * c.decoder_layers, c.heads, BLOCK * blocks(len(target)), c.head_dim)
    past, logits = np.zeros(shape, np.float32), []
    for place, token in enumerate(target):
        said = decoder.run(
            {
                "input_ids": np.array([token], np.int64),
                "position": np.array([place], np.int64),
                "past": past,
                "cross": cross,
                "length": length,
            }
        )
        past[:, :, :, place] = said["new"]
        logits.append(said["logits"][0])
    return np.stack(logits)
