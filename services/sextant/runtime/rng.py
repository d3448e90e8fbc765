"""Randomness that belongs to a request, not to a process.

A counter-based generator (Philox 4x64; Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3")
keyed by the request's seed, the item and what is drawn. Nothing is carried from draw to draw: the noise of
step 17 is the same alone, with fifteen batch mates, or on the replica that took over at step 16.
"""

import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_UINT64 = 2**64


@dataclass(frozen=True, slots=True)
class RequestRng:
    """The randomness of one item of one request; `seed` is a uint64, `item` the item's index."""

    seed: int
    item: int = 0

    def uniform(self, purpose: str, index: int = 0, shape: tuple[int, ...] = ()) -> NDArray[np.float64]:
        """Uniform draws in [0, 1), float64, 53 bits each; the same for the same arguments, always."""
        count = int(np.prod(shape, dtype=np.int64))
        bits = self._philox(purpose, index).random_raw(count)
        fractions: NDArray[np.float64] = (np.asarray(bits, dtype=np.uint64) >> np.uint64(11)) * np.float64(2.0**-53)
        return fractions.reshape(shape)

    def normal(self, purpose: str, index: int = 0, shape: tuple[int, ...] = ()) -> NDArray[np.float32]:
        """Standard normal draws, float32 (Box-Muller, so that no library's rejection order enters)."""
        count = int(np.prod(shape, dtype=np.int64))
        pairs = (count + 1) // 2
        uniforms = self.uniform(purpose, index, (2, pairs))
        radius = np.sqrt(-2.0 * np.log1p(-uniforms[0]))
        angle = 2.0 * np.pi * uniforms[1]
        draws = np.concatenate([radius * np.cos(angle), radius * np.sin(angle)])[:count]
        return draws.astype(np.float32).reshape(shape)

    def _philox(self, purpose: str, index: int) -> np.random.Philox:
        key = np.array([self.seed % _UINT64, zlib.crc32(purpose.encode()) << 32 | self.item], dtype=np.uint64)
        return np.random.Philox(counter=[0, 0, 0, index], key=key)
