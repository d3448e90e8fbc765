"""What the manifest of a transformer over codes says under `network` and `defaults`."""

from pydantic import BaseModel, ConfigDict, Field

from sextant.bundles.manifest import LatentSpace


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class WordsPart(_Strict):
    """At most `tokens` states of `width` numbers, in the latent space `space` of a text encoder."""

    space: str = Field(min_length=1, max_length=128)
    tokens: int = Field(gt=0, le=4096)
    width: int = Field(gt=0, le=65536)

    @property
    def latent_space(self) -> LatentSpace:
        """As the manifest lists it."""
        return LatentSpace(id=self.space, shape=(0, self.width), condition=True)


class CodesConfig(_Strict):
    """Maps `places` [h, w] of codes below `codes` in the latent space `space`; `words` None draws them of nothing."""

    space: str = Field(min_length=1, max_length=128)
    places: tuple[int, int]
    codes: int = Field(gt=1, le=65536)
    layers: int = Field(gt=0, le=256)
    heads: int = Field(gt=0, le=256)
    head_dim: int = Field(gt=0, le=1024)
    words: WordsPart | None = None

    @property
    def latent_space(self) -> LatentSpace:
        """Of what is made, as the manifest lists it."""
        return LatentSpace(id=self.space, shape=self.places)

    @property
    def latent_spaces(self) -> tuple[LatentSpace, ...]:
        """All that the manifest lists."""
        return (self.latent_space, *(() if self.words is None else (self.words.latent_space,)))

    @property
    def count(self) -> int:
        """How many places there are."""
        return self.places[0] * self.places[1]

    @property
    def read(self) -> int:
        """How many states there may be at most."""
        return 0 if self.words is None else self.words.tokens

    @property
    def caches(self) -> tuple[str, ...]:
        """The network's memory by the names of its inputs: keys and values of each layer in turn."""
        return tuple(f"{part}.{layer}" for layer in range(self.layers) for part in ("keys", "values"))

    @property
    def cache(self) -> tuple[int, int, int]:
        """Of one row: heads, what may be read and all places, numbers."""
        return self.heads, self.read + self.count, self.head_dim


class CodesDefaults(_Strict):
    """What a request that does not say gets, and what bounds a call; `guidance` 1 is none."""

    temperature: float = Field(default=1.0, ge=0, le=10)
    top_k: int = Field(default=0, ge=0)
    top_p: float = Field(default=1.0, gt=0, le=1)
    guidance: float = Field(default=1.0, ge=0, le=30)
    rows_per_step: int = Field(default=32, ge=2, le=1024)
