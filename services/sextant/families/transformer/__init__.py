"""Transformers: decoders that write and score text, encoders that embed it and fill its blanks, and both in one.

Reading order for decoders: `sampler`, `generating` and `scoring`, `decoder_network`, `kv_slots`, `decoder_graph`,
and `reference` for the mathematics. For encoder-decoders: `seq2seq_sampler`, `seq2seq_states`, `beams`,
`seq2seq_graph` and `seq2seq_reference`. `clip_sampler` reads texts for pictures that are conditioned
on them; `tower_sampler` looks at pictures, to where their captions lie. `codes_sampler` and `codes_drawing` make codes
of pictures, place after place; `codes_networks` is their torch side.
"""

from collections.abc import Sequence
from typing import Any

from sextant.bundles.store import Bundle
from sextant.contract.errors import BundleRefused
from sextant.contract.media import Text
from sextant.contract.tasks import Task, TaskKind, TextParameters
from sextant.runtime.sampler import Sampler
from sextant.runtime.session import SessionConfig

DECODERS = frozenset({"llama", "gpt2"})
ENCODERS = frozenset({"bert"})
SEQ2SEQ = frozenset({"t5"})
CLIP_TEXT = frozenset({"clip-text"})
TOWERS = frozenset({"image-tower"})
CODES = frozenset({"code-transformer"})


class TransformerFamily:
    """See `families.family.Family`."""

    def load(self, bundle: Bundle, config: SessionConfig) -> Sampler[Any]:
        """The bundle as a sampler. Raises `BundleRefused`."""
        # Imported when needed: a replica of the one has no use for the other.
        if bundle.manifest.architecture in DECODERS:
            from sextant.families.transformer.sampler import DecoderSampler

            return DecoderSampler.load(bundle, config)
        if bundle.manifest.architecture in ENCODERS:
            from sextant.families.transformer.encoder_sampler import EncoderSampler

            return EncoderSampler.load(bundle, config)
        if bundle.manifest.architecture in SEQ2SEQ:
            from sextant.families.transformer.seq2seq_sampler import Seq2SeqSampler

            return Seq2SeqSampler(bundle, config)
        if bundle.manifest.architecture in CLIP_TEXT:
            from sextant.families.transformer.clip_sampler import ClipTextSampler

            return ClipTextSampler.load(bundle, config)
        if bundle.manifest.architecture in TOWERS:
            from sextant.families.transformer.tower_sampler import TowerSampler

            return TowerSampler.load(bundle, config)
        if bundle.manifest.architecture in CODES:
            from sextant.families.transformer.codes_sampler import CodeSampler

            return CodeSampler.load(bundle, config)
        known = ", ".join(sorted(DECODERS | ENCODERS | SEQ2SEQ | CLIP_TEXT | TOWERS | CODES))
        reason = f"transformers of architecture {bundle.manifest.architecture!r} are unknown; known: {known}"
        raise BundleRefused(bundle.manifest.name, reason)

    def warm_up(self, bundle: Bundle) -> Sequence[Task]:
        """Tasks that touch every code path once."""
        if bundle.manifest.architecture in ENCODERS:
            from sextant.families.transformer.encoder_sampler import warm_up

            return warm_up(bundle)
        if bundle.manifest.architecture in SEQ2SEQ:
            from sextant.families.transformer.seq2seq_sampler import warm_up as seq2seq_warm_up

            return seq2seq_warm_up()
        if bundle.manifest.architecture in CLIP_TEXT:
            from sextant.families.transformer.clip_sampler import warm_up as clip_warm_up

            return clip_warm_up()
        if bundle.manifest.architecture in TOWERS:
            from sextant.families.transformer.tower_sampler import warm_up as tower_warm_up

            return tower_warm_up(bundle)
        if bundle.manifest.architecture in CODES:
            from sextant.families.transformer.codes_sampler import warm_up as codes_warm_up

            return codes_warm_up(bundle)
        few = TextParameters(max_tokens=1, temperature=1.0, continue_prompt=True)
        some = TextParameters(max_tokens=4, temperature=1.0, continue_prompt=True, ignore_end_of_text=True)
        return (
            Task(TaskKind.GENERATE, seed=0, prompt="a", parameters=few),
            Task(TaskKind.GENERATE, seed=0, prompt="Once upon a time", parameters=some),
            Task(TaskKind.SCORE, seed=0, source=Text("Once upon a time")),
        )


FAMILY = TransformerFamily()
