"""Sound in 256 levels that are finer where it is quiet: ITU-T G.711's mu-law as WaveNet has it (van den Oord et al.
2016, "WaveNet", section 2.2), y = sign(x) ln(1 + 255 |x|) / ln 256."""

import numpy as np
from numpy.typing import NDArray

LEVELS = 256
SILENCE = LEVELS // 2
_MU = LEVELS - 1


def to_levels(samples: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Samples in [-1, 1], what lies outside clipped, as levels 0 ... 255."""
    x = np.clip(samples.astype(np.float64), -1, 1)
    y = np.sign(x) * np.log1p(_MU * np.abs(x)) / np.log1p(_MU)
    levels: NDArray[np.uint8] = np.floor((y + 1) / 2 * _MU + 0.5).astype(np.uint8)
    return levels


def to_samples(levels: NDArray[np.integer]) -> NDArray[np.float32]:
    """The sample in the middle of each level."""
    y = 2 * levels.astype(np.float64) / _MU - 1
    samples: NDArray[np.float32] = (np.sign(y) * np.expm1(np.abs(y) * np.log1p(_MU)) / _MU).astype(np.float32)
    return samples
