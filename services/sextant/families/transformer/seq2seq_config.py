"""The sizes and switches of an encoder-decoder, as its bundle's manifest records them under `network`."""

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from sextant.families.transformer.decoder_config import DecoderDefaults

BLOCK = 16  # tokens: what is read and what is written is padded to whole blocks, each text by its own length


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Seq2SeqConfig(_Strict):
    """One T5 (Raffel et al. 2020): RMSNorm, relative positions, no biases.

    `gated` is the MLP of T5 1.1 (Shazeer 2020, GEGLU) rather than ReLU. `buckets` and `max_distance` are of the
    relative positions. `scaled_logits` divides what the head sees by the square root of the width.
    """

    vocab_size: int = Field(gt=0)
    width: int = Field(gt=0)
    heads: int = Field(gt=0)
    head_dim: int = Field(gt=0)
    mlp_width: int = Field(gt=0)
    encoder_layers: int = Field(gt=0)
    decoder_layers: int = Field(gt=0)
    buckets: int = Field(ge=4, multiple_of=4)
    max_distance: int = Field(gt=1)
    norm_epsilon: float = Field(gt=0)
    gated: bool
    scaled_logits: bool
    tied_head: bool


class Seq2SeqTokens(_Strict):
    """`start` begins what is written, `end` ends it, and `source_end` ends what is read."""

    start: int = Field(ge=0)
    end: tuple[int, ...] = Field(min_length=1)
    source_end: int | None = Field(default=None, ge=0)


class Seq2SeqNetworkConfig(_Strict):
    """The whole of `network` in an encoder-decoder's manifest."""

    model: Seq2SeqConfig
    tokens: Seq2SeqTokens
    rows_per_step: int = Field(default=64, ge=1, le=1024)

    @model_validator(mode="after")
    def _tokens_exist(self) -> Self:
        tokens = self.tokens
        largest = max(tokens.start, *tokens.end, tokens.source_end or 0)
        if largest >= self.model.vocab_size:
            raise ValueError(f"token {largest} is beyond the {self.model.vocab_size} of the vocabulary")
        return self


class Seq2SeqDefaults(DecoderDefaults):
    """The whole of `defaults`: what a request that does not say gets. More than one beam is a beam search."""

    beams: int = Field(default=1, ge=1, le=64)


def blocks(tokens: int) -> int:
    """How many blocks hold that many tokens."""
    return -(-tokens // BLOCK)
