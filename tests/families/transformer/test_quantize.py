"""Weight-only int8."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sextant.families.transformer.quantize import dequantize, quantize


@given(
    rows=st.integers(1, 4),
    inner=st.integers(1, 70),
    block=st.sampled_from([16, 32]),
    scale=st.sampled_from([1e-6, 1.0, 1e4]),
    seed=st.integers(0, 99),
)
def test_no_weight_is_off_by_more_than_half_its_blocks_scale(
    rows: int, inner: int, block: int, scale: float, seed: int
) -> None:
    matrix = (np.random.default_rng(seed).normal(0, scale, (rows, inner))).astype(np.float32)
    quantized = quantize(matrix, block)
    error = np.abs(dequantize(quantized) - matrix)
    bound = np.repeat(quantized.scales, block, axis=1)[:, :inner] / 2
    assert (error <= bound * 1.0001).all()


def test_zeros_stay_zeros() -> None:
    assert not dequantize(quantize(np.zeros((2, 40), dtype=np.float32), 32)).any()


def test_quantising_what_was_quantised_changes_nothing() -> None:
    matrix = np.random.default_rng(0).normal(size=(8, 64)).astype(np.float32)
    once = dequantize(quantize(matrix, 32))
    assert np.allclose(dequantize(quantize(once, 32)), once, rtol=1e-6, atol=0)
