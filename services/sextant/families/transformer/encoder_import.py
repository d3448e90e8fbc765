"""Foreign encoder weights into a bundle: read, build the graph, measure it against the reference, write."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sextant.bundles.manifest import LatentSpace, Parity
from sextant.bundles.progress import ProgressFn
from sextant.bundles.store import Bundle
from sextant.bundles.writer import ImportOptions, write_bundle
from sextant.contract.errors import BundleRefused
from sextant.contract.media import Modality
from sextant.contract.tasks import TaskKind
from sextant.families.transformer.encoder_config import EncoderNetworkConfig
from sextant.families.transformer.encoder_graph import BLOCK, write_encoder
from sextant.families.transformer.encoder_network import EncodedRow, EncoderNetwork
from sextant.families.transformer.encoder_reference import blank_logits, embedding, token_states
from sextant.families.transformer.encoder_sampler import NETWORK_FILE, TOKENIZER_FILE, sentence_space, token_space
from sextant.families.transformer.encoder_source import EncoderSource, read_encoder
from sextant.families.transformer.encoder_text import EncodedText
from sextant.runtime.session import SessionConfig, open_session

# Largest error of an output over its largest magnitude. fp32 differs by rounding alone; int8 also by the eight bits
# of its weights and activations, so there the figure that is recorded says more than the limit.
TOLERANCES: dict[Literal["fp32", "int8"], float] = {"fp32": 1e-4, "int8": 0.1}

_REFERENCE = "float64 NumPy reference, weights as imported"
_FEWEST_TOKENS = 4
_PARITY_TEXTS = (
    "Rain.",
    "The quick brown fox jumps over the lazy dog, and the dog does not mind at all.",
    "In 1687 Newton wrote that every body attracts every other; 230 years later Einstein said why. 你好 🙂",
    "What the day was like, nobody could say afterwards; it had been long, and it had been full of talk. " * 12,
)


def import_encoder(source: Path, destination: Path, options: ImportOptions, progress: ProgressFn) -> Bundle:
    """Makes the bundle `destination / options.name` of a Hugging Face directory with a BERT in it.

    Texts are bounded by the model's positions, or by `options.context_tokens`, and never cut: the shorter
    `max_seq_length` at which sentence-transformers cuts texts is not a bound here. Raises `BundleRefused` where
    the weights cannot be read or the result is not at parity with the reference.
    """
    progress("reading weights", 0, None)
    encoder = read_encoder(source, options.name)
    limit = encoder.config.max_positions
    max_tokens = options.context_tokens or limit
    if not _FEWEST_TOKENS <= max_tokens <= limit:
        raise BundleRefused(options.name, f"texts of {max_tokens} tokens are not within {_FEWEST_TOKENS} and {limit}")
    if options.precision == "int8" and encoder.config.width % BLOCK:
        reason = f"int8 needs a width that {BLOCK} divides, not {encoder.config.width}"
        raise BundleRefused(options.name, reason)
    config = EncoderNetworkConfig(
        precision=options.precision,
        pooling=encoder.pooling,
        normalize=encoder.normalize,
        mask_token=encoder.mask_token,
        encoder=encoder.config,
    )
    destination.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=f".{options.name}.import-", dir=destination) as scratch:
        progress("writing the network", 0, None)
        path = Path(scratch) / NETWORK_FILE
        paths = write_encoder(
            path,
            encoder.weights,
            encoder.config,
            max_tokens=max_tokens,
            precision=options.precision,
            pooling=encoder.pooling,
            normalize=encoder.normalize,
        )
        network = EncoderNetwork(open_session(path, SessionConfig()), max_tokens)
        texts = _texts(encoder, max_tokens)
        parity = _measure(network, encoder, texts, TOLERANCES[options.precision], progress)
        files: dict[str, Path | bytes] = {file.name: file for file in paths}
        files[TOKENIZER_FILE] = encoder.tokenizer_json.encode()
        progress("writing the bundle", 0, None)
        can_fill = encoder.mask_token is not None
        return write_bundle(
            destination,
            files,
            name=options.name,
            version=options.version,
            family="transformer",
            architecture=encoder.config.architecture,
            description=options.description,
            tasks=(TaskKind.ENCODE, TaskKind.TRANSFORM) if can_fill else (TaskKind.ENCODE,),
            inputs=(Modality.TEXT,),
            outputs=(Modality.LATENT, Modality.TEXT) if can_fill else (Modality.LATENT,),
            latent_spaces=(
                LatentSpace(id=sentence_space(options.name), shape=(encoder.config.width,)),
                LatentSpace(id=token_space(options.name), shape=(0, encoder.config.width)),
            ),
            deterministic=_company_changes_nothing(network, texts),
            license=options.license,
            provenance=options.provenance,
            context_tokens=max_tokens,
            network=config.model_dump(mode="json", exclude_none=True),
            parity=parity,
        )


def _texts(encoder: EncoderSource, max_tokens: int) -> list[EncodedText]:
    """A few texts in the model's own tokens, cut where they are too long for it; each with blanks, if it has any."""
    text = encoder.text
    blanks = "" if encoder.mask_token is None else f"{encoder.mask_token} and {encoder.mask_token} "
    texts = []
    for content in _PARITY_TEXTS:
        encoded = text.encode(blanks + content)
        kept = tuple(blank for blank in encoded.blanks if blank.position < max_tokens)
        texts.append(EncodedText(encoded.ids[:max_tokens], kept))
    return texts


def _measure(
    network: EncoderNetwork, encoder: EncoderSource, texts: list[EncodedText], tolerance: float, progress: ProgressFn
) -> Parity:
    """The graph's largest errors, over embeddings and logits."""
    worst_abs = worst_rel = 0.0
    what = "comparing with the reference"
    progress(what, 0, len(texts))
    for done, text in enumerate(texts):
        row = _run(network, [text])[0]
        states = token_states(encoder.weights, encoder.config, text.ids.tolist())
        pairs = [(row.embedding, embedding(states, encoder.pooling, encoder.normalize)), (_states(row), states)]
        if text.blanks:
            positions = [blank.position for blank in text.blanks]
            pairs.append((row.logits, blank_logits(encoder.weights, encoder.config, states, positions)))
        for served, expected in pairs:
            error = float(np.abs(served - expected).max())
            worst_abs = max(worst_abs, error)
            worst_rel = max(worst_rel, error / float(np.abs(expected).max()))
        progress(what, done + 1, len(texts))
    return Parity(max_abs_error=worst_abs, max_rel_error=worst_rel, tolerance=tolerance, reference=_REFERENCE)


def _company_changes_nothing(network: EncoderNetwork, texts: list[EncodedText]) -> bool:
    """Whether every text gives the same bytes alone and among seven others of its padded length."""
    for text in texts:
        alone = _run(network, [text])[0]
        turned = EncodedText(text.ids[::-1].copy(), ())
        company = _run(network, [turned, text, turned, text, text, turned, turned, text])
        for place in (1, 3, 4, 7):
            if not np.array_equal(company[place].embedding, alone.embedding):
                return False
            if not np.array_equal(company[place].logits, alone.logits):
                return False
            if not np.array_equal(_states(company[place]), _states(alone)):
                return False
    return True


def _run(network: EncoderNetwork, texts: list[EncodedText]) -> list[EncodedRow]:
    blanks = [[blank.position for blank in text.blanks] for text in texts]
    return network.run([text.ids for text in texts], blanks, states=True)


def _states(row: EncodedRow) -> NDArray[np.float32]:
    assert row.states is not None
    return row.states
