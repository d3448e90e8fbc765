"""Short sounds as pictures of their spectrum, for a judge that looks and for people."""

import numpy as np
from numpy.typing import NDArray

_FRAME, _HOP = 256, 80
_BANDS = 64
_FLOOR_DB, _CEILING_DB = -70.0, 0.0


def spectrograms(samples: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Sounds float[n, t] in [-1, 1] -> uint8[n, 64, frames, 1]: loud is white, high is above, time goes right.

    Squared magnitudes of Hann windows of 256 samples every 80, neighbouring bins added, in dB from -70 to 0.
    """
    windows = np.lib.stride_tricks.sliding_window_view(samples, _FRAME, axis=1)[:, ::_HOP]
    power = np.abs(np.fft.rfft(windows * np.hanning(_FRAME), axis=2)) ** 2
    banded = power[:, :, 1:].reshape(*power.shape[:2], _BANDS, -1).sum(3)
    decibels = 10 * np.log10(banded / (_FRAME / 4) ** 2 + 1e-12)
    shade = (decibels - _FLOOR_DB) / (_CEILING_DB - _FLOOR_DB)
    pictures = np.rint(255 * shade.clip(0, 1)).astype(np.uint8)
    return np.ascontiguousarray(pictures.transpose(0, 2, 1)[:, ::-1, :, None])
