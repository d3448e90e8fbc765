"""The sizes and switches of an encoder, as its bundle's manifest records them under `network`."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

# "mean": of the states of all tokens, the marks at both ends included. "first": the state of the first token.
Pooling = Literal["mean", "first"]


class EncoderConfig(BaseModel):
    """One encoder: BERT's, with learned positions, GELU (erf form) and a normalisation after each block."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    architecture: Literal["bert"]
    vocab_size: int = Field(gt=0)
    width: int = Field(gt=0)
    layers: int = Field(gt=0)
    heads: int = Field(gt=0)
    mlp_width: int = Field(gt=0)
    max_positions: int = Field(gt=0)
    norm_epsilon: float = Field(gt=0)

    @model_validator(mode="after")
    def _heads_fit(self) -> Self:
        if self.width % self.heads:
            raise ValueError(f"{self.heads} heads cannot share a width of {self.width} evenly")
        return self


class EncoderNetworkConfig(BaseModel):
    """The whole of `network` in an encoder's manifest.

    `normalize` scales embeddings to length 1. `mask_token` is what a blank is written as; None where the
    encoder has no head that fills blanks. `max_texts` is how many texts a replica holds at a time.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    precision: Literal["fp32", "int8"]
    pooling: Pooling
    normalize: bool
    mask_token: str | None = Field(default=None, min_length=1)
    rows_per_step: int = Field(default=32, gt=0, le=1024)
    max_texts: int = Field(default=256, gt=0, le=65536)
    encoder: EncoderConfig
