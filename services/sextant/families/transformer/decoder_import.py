"""Foreign decoder weights into a bundle: read, build the graph, measure it against the reference, write."""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from sextant.bundles.manifest import Parity
from sextant.bundles.progress import ProgressFn
from sextant.bundles.store import Bundle
from sextant.bundles.verify import explain
from sextant.bundles.writer import ImportOptions, write_bundle
from sextant.contract.errors import BundleRefused
from sextant.contract.events import Estimator
from sextant.contract.media import Modality
from sextant.contract.tasks import TaskKind
from sextant.families.transformer.decoder_config import DecoderDefaults, DecoderNetworkConfig
from sextant.families.transformer.decoder_graph import Precision, write_decoder
from sextant.families.transformer.decoder_network import DecoderNetwork
from sextant.families.transformer.parity import company_changes_nothing, measure_difference
from sextant.families.transformer.reference import decoder_logits
from sextant.families.transformer.sampler import NETWORK_FILE, TEMPLATE_FILE, TOKENIZER_FILE
from sextant.families.transformer.text import TextCodec
from sextant.families.transformer.weights import DecoderSource, read_decoder
from sextant.runtime.session import SessionConfig, open_session

DEFAULT_CONTEXT_TOKENS = 2048
# Largest error of a logit over the largest logit. fp32 differs by rounding alone; int8 also by the eight bits of
# its weights and activations, so there the figure that is recorded says more than the limit.
TOLERANCES: dict[Precision, float] = {"fp32": 1e-4, "int8": 0.1}

_REFERENCE = "float64 NumPy reference, weights as imported"
_PARITY_TEXTS = (
    "The quick brown fox jumps over the lazy dog, and the dog does not mind at all.",
    "def area(radius: float) -> float:\n    return 3.14159 * radius ** 2\n",
    "In 1687 Newton wrote that every body attracts every other; 230 years later Einstein said why. 你好 🙂",
)


def import_decoder(source: Path, destination: Path, options: ImportOptions, progress: ProgressFn) -> Bundle:
    """Makes the bundle `destination / options.name` of a GGUF file or a Hugging Face directory.

    Raises `BundleRefused` where the weights cannot be read or the result is not at parity with the reference.
    """
    progress("reading weights", 0, None)
    decoder = read_decoder(source, options.name)
    limit = decoder.config.max_positions
    defaults = _defaults(decoder.defaults, options)
    context = options.context_tokens or min(limit, DEFAULT_CONTEXT_TOKENS)
    if not 2 <= context <= limit:
        raise BundleRefused(options.name, f"a context of {context} tokens is not within 2 and {limit}")
    config = DecoderNetworkConfig(precision=options.precision, decoder=decoder.config, tokens=decoder.token_ids)
    destination.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=f".{options.name}.import-", dir=destination) as scratch:
        sequences = _sequences(decoder, context, options.name)
        references = []
        for done, ids in enumerate(sequences):
            progress("computing the reference", done, len(sequences))
            references.append(decoder_logits(decoder.weights, decoder.config, ids.tolist()))
        progress("writing the network", 0, None)
        network_path = Path(scratch) / NETWORK_FILE
        paths = write_decoder(network_path, decoder.weights, decoder.config, context, options.precision)
        decoder = replace(decoder, weights={})  # the session below needs the room
        progress("comparing with the reference", 0, None)
        parity, deterministic = _measure(network_path, config, context, sequences, references)
        files: dict[str, Path | bytes] = {path.name: path for path in paths}
        files[TOKENIZER_FILE] = decoder.tokenizer_json.encode()
        if decoder.chat_template is not None:
            files[TEMPLATE_FILE] = decoder.chat_template.encode()
        progress("writing the bundle", 0, None)
        return write_bundle(
            destination,
            files,
            name=options.name,
            version=options.version,
            family="transformer",
            architecture=decoder.config.architecture,
            description=options.description,
            tasks=(TaskKind.GENERATE, TaskKind.SCORE),
            inputs=(Modality.TEXT,),
            outputs=(Modality.TEXT,),
            score_estimator=Estimator.EXACT,
            deterministic=deterministic,
            license=options.license,
            provenance=options.provenance,
            context_tokens=context,
            network=config.model_dump(mode="json", exclude_none=True),
            defaults=defaults.model_dump(mode="json"),
            parity=parity,
        )


def _defaults(brought: DecoderDefaults, options: ImportOptions) -> DecoderDefaults:
    """What a request that does not say gets: the importer's word over what came with the weights."""
    try:
        return DecoderDefaults.model_validate({**brought.model_dump(), **options.defaults})
    except ValidationError as error:
        raise BundleRefused(options.name, f"defaults: {explain(error)}") from error


def _measure(
    path: Path,
    config: DecoderNetworkConfig,
    context: int,
    sequences: list[NDArray[np.int64]],
    references: list[NDArray[np.float64]],
) -> tuple[Parity, bool]:
    """The graph's parity with the reference, and whether its bytes are the same in any company."""
    session = open_session(path, SessionConfig())
    chunk = config.prefill_chunk
    network = DecoderNetwork(session, config.decoder, max_slots=config.max_slots, max_len=context, chunk=chunk)
    difference = measure_difference(network, sequences, references)
    parity = Parity(
        max_abs_error=difference.max_abs,
        max_rel_error=difference.max_rel,
        tolerance=TOLERANCES[config.precision],
        reference=_REFERENCE,
    )
    return parity, company_changes_nothing(network, [ids[: len(ids) // 2 + 1] for ids in sequences])


def _sequences(decoder: DecoderSource, context: int, bundle: str) -> list[NDArray[np.int64]]:
    """A few texts in the model's own tokens, short enough to leave room for decode steps."""
    try:
        codec = TextCodec(decoder.tokenizer_json, decoder.chat_template, decoder.token_ids, decoder.config.vocab_size)
    except Exception as error:  # `tokenizers` raises nothing more specific
        raise BundleRefused(bundle, f"its tokenizer cannot be used: {error}") from error
    sequences = [codec.encode(text)[: max(2, context // 2)] for text in _PARITY_TEXTS]
    return [ids for ids in sequences if len(ids) > 1]
