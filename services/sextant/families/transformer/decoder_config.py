"""The sizes and switches of a decoder, as its bundle's manifest records them under `network`."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


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
        if self.architecture == "llama" and self.head_dim % 2:
            raise ValueError(f"rotary positions need an even head_dim, not {self.head_dim}")
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
