"""What the manifest of a CLIP text encoder says under `network`."""

from pydantic import BaseModel, ConfigDict, Field

from sextant.bundles.manifest import LatentSpace


class ClipTextConfig(BaseModel):
    """Texts become `tokens` vectors of `width`, with `pad` behind the shorter ones (Radford et al. 2021)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tokens: int = Field(gt=2, le=4096)
    width: int = Field(gt=0, le=65536)
    space: str = Field(min_length=1, max_length=128)
    pad: int = Field(ge=0)
    rows_per_step: int = Field(default=32, ge=1, le=1024)

    @property
    def latent_space(self) -> LatentSpace:
        """The space of its states, which models are conditioned on."""
        return LatentSpace(id=self.space, shape=(self.tokens, self.width))
