"""Weight-only int8, as ONNX Runtime's MatMulNBits and GatherBlockQuantized read it.

Symmetric and by blocks: each run of `block` weights along a matrix's inner axis shares one scale, its largest
magnitude / 127 (the scheme of Q8_0 in ggml, so that weights that come in Q8_0 pass through unchanged).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ZERO_POINT = 128  # what both operators subtract from the stored bytes


@dataclass(frozen=True)
class QuantizedMatrix:
    """A matrix [out, in]: `codes` uint8[out, blocks, block], `scales` float32[out, blocks].

    The last block of a row is padded with the code of zero where `block` does not divide the inner axis.
    """

    codes: NDArray[np.uint8]
    scales: NDArray[np.float32]
    inner: int

    @property
    def block(self) -> int:
        """How many weights share a scale."""
        return int(self.codes.shape[2])


def quantize(matrix: NDArray[np.float32], block: int) -> QuantizedMatrix:
    """`matrix` [out, in] in int8, each weight off by at most half its block's scale."""
    rows, inner = matrix.shape
    blocks = -(-inner // block)
    padded = np.zeros((rows, blocks * block), dtype=np.float32)
    padded[:, :inner] = matrix
    grouped = padded.reshape(rows, blocks, block)
    scales = np.abs(grouped).max(axis=2) / np.float32(127)
    # A block of zeros has scale 0 and codes of zero; dividing by 1 there avoids 0 / 0.
    divisors = np.where(scales == 0, np.float32(1), scales)[:, :, None]
    codes = np.rint(grouped / divisors) + ZERO_POINT
    return QuantizedMatrix(codes.astype(np.uint8), scales, inner)


def dequantize(matrix: QuantizedMatrix) -> NDArray[np.float32]:
    """The matrix [out, in] that the codes stand for."""
    values = (matrix.codes.astype(np.float32) - ZERO_POINT) * matrix.scales[:, :, None]
    return values.reshape(len(values), -1)[:, : matrix.inner]
