"""The sizes and switches of a decoder, as its bundle's manifest records them under `network`."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

_HEAD_DIM_MULTIPLE = 16  # what GroupQueryAttention takes


class DecoderConfig(BaseModel):
    """One decoder. LLaMA and GPT-2 differ in what `architecture` says; everything else is sizes.

    "llama": RMSNorm, rotary positions, SwiGLU. "gpt2": LayerNorm, learned positions, GELU (tanh form), biases.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    architecture: Literal["llama", "gpt2"]
    vocab_size: int = Field(gt=0)
    width: int = Field(gt=0)
    layers: int = Field(gt=0)
    heads: int = Field(gt=0)
    kv_heads: int = Field(gt=0)
    head_dim: int = Field(gt=0)
    mlp_width: int = Field(gt=0)
    max_positions: int = Field(gt=0)
    norm_epsilon: float = Field(gt=0)
    rope_theta: float = Field(default=10_000.0, gt=0)
    tied_embeddings: bool

    @model_validator(mode="after")
    def _heads_fit(self) -> Self:
        if self.heads % self.kv_heads:
            raise ValueError(f"{self.heads} heads cannot share {self.kv_heads} key-value heads evenly")
        if self.head_dim % _HEAD_DIM_MULTIPLE:
            raise ValueError(f"head_dim must be a multiple of {_HEAD_DIM_MULTIPLE}, not {self.head_dim}")
        return self


class TokenIds(BaseModel):
    """The tokens with a meaning of their own.

    `end` are those that end a text. `start` is what stands before a text when a text is scored or made from
    nothing, None where the model has no such token; `prepends_start` says that it belongs before every prompt.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    start: int | None = None
    end: tuple[int, ...] = ()
    prepends_start: bool = False


class DecoderNetworkConfig(BaseModel):
    """The whole of `network` in a decoder's manifest.

    `prefill_chunk` is how many tokens of a prompt one call reads. It is part of what a bundle computes: other
    chunks, other rounding. `max_slots` is how many sequences a replica holds at a time.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    precision: Literal["fp32", "int8"]
    prefill_chunk: int = Field(default=128, gt=0)
    max_slots: int = Field(default=16, gt=0, le=1024)
    decoder: DecoderConfig
    tokens: TokenIds


class DecoderDefaults(BaseModel):
    """The whole of `defaults` in a decoder's manifest: what a request that does not say gets."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_tokens: int = Field(default=256, ge=1)
    temperature: float = Field(default=1.0, ge=0, le=10)
    top_k: int = Field(default=0, ge=0)
    top_p: float = Field(default=1.0, gt=0, le=1)
    min_p: float = Field(default=0.0, ge=0, le=1)
    repetition_penalty: float = Field(default=1.0, gt=0, le=10)
