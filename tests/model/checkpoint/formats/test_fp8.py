"""FP8 weights against torch's own float8 types and against dequantisation one weight at a time."""

import numpy as np
import pytest
import torch

from model.checkpoint.formats import fp8
from tests.model.checkpoint.formats.quantise import FP8_MOST, from_fp8
from tests.model.checkpoint.formats.quantise import fp8 as quantise

DTYPES = [torch.float32, torch.bfloat16, torch.float16]


def spread(scales: torch.Tensor, rows: int, block_rows: int) -> torch.Tensor:
    """One line of scales for each row of weights."""
    return scales.repeat_interleave(block_rows, dim=0)[:rows]


@pytest.mark.parametrize("dtype", DTYPES)
def test_all_256_codes_are_what_torch_says(dtype: torch.dtype) -> None:
    codes = torch.arange(256, dtype=torch.uint8).view(2, 128)
    out = torch.empty(2, 128, dtype=dtype)
    fp8.expand(codes.view(torch.int8), torch.ones(2, 1), columns=128, out=out)
    expected = codes.view(torch.float8_e4m3fn).to(dtype)
    assert torch.equal(out.isnan(), expected.isnan())
    assert expected.isnan().sum() == 2
    assert torch.equal(out.nan_to_num(), expected.nan_to_num())
    assert out.nan_to_num().max() == FP8_MOST


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rows", [1, 127, 192, 288, 320, 576])
def test_ragged_edges_take_the_scale_of_their_short_block(rows: int, dtype: torch.dtype) -> None:
    weights = torch.randn(rows, 200, generator=torch.Generator().manual_seed(rows))
    codes, scales = quantise(weights, (128, 128))
    assert scales.shape == (-(-rows // 128), 2)
    out = torch.empty(rows, 200, dtype=dtype)
    fp8.expand(codes.view(torch.int8), spread(scales, rows, 128), columns=128, out=out)
    expected = from_fp8(codes, scales, (128, 128))
    assert torch.equal(out, expected.to(dtype))
    assert (expected - weights).norm() / weights.norm() == pytest.approx(0.026, abs=0.003)  # what e4m3 loses


def test_pieces_that_end_within_a_block_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    codes, scales = quantise(torch.randn(300, 64, generator=torch.Generator().manual_seed(0)), (128, 16))
    whole, pieces = torch.empty(300, 64), torch.empty(300, 64)
    fp8.expand(codes.view(torch.int8), spread(scales, 300, 128), columns=16, out=whole)
    monkeypatch.setattr(fp8, "_PIECE", 7 * 64)
    fp8.expand(codes.view(torch.int8), spread(scales, 300, 128), columns=16, out=pieces)
    assert torch.equal(whole, pieces)
    assert torch.equal(whole, from_fp8(codes, scales, (128, 16)))


def test_every_exponent_of_a_scale_is_a_power_of_two() -> None:
    exponents = torch.arange(255, dtype=torch.uint8)
    values = exponents.view(torch.float8_e8m0fnu).to(torch.float32).numpy()
    assert np.array_equal(values, np.ldexp(np.float32(1), np.arange(255) - 127))
