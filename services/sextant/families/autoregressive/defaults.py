"""What an autoregressive model's manifest says under `defaults`."""

from pydantic import BaseModel, ConfigDict, Field


class AutoregressiveDefaults(BaseModel):
    """Sampling defaults, and what bounds a call."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    temperature: float = Field(default=1.0, ge=0, le=10)
    top_p: float = Field(default=1.0, gt=0, le=1)
    rows_per_step: int = Field(default=32, ge=1, le=1024)
