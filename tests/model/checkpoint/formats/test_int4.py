"""Packed int4 weights against unpacking one weight at a time."""

import pytest
import torch

from model.checkpoint.formats import int4
from tests.model.checkpoint.formats.quantise import from_int4
from tests.model.checkpoint.formats.quantise import int4 as quantise


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize(("rows", "columns"), [(3, 64), (5, 96), (192, 32), (4, 40), (2, 37)])
def test_codes_are_unpacked_from_the_lowest_bits_up(rows: int, columns: int, dtype: torch.dtype) -> None:
    weights = torch.randn(rows, columns, generator=torch.Generator().manual_seed(columns))
    packed, scales = quantise(weights, 32)
    assert packed.shape == (rows, -(-columns // 8))
    out = torch.empty(rows, columns, dtype=dtype)
    int4.expand(packed.view(torch.uint8), scales.float(), group=32, out=out)
    assert torch.equal(out, from_int4(packed, scales, 32, columns).to(dtype))
    assert (out.float() - weights).norm() / weights.norm() < 0.12


def test_all_sixteen_codes_run_from_minus_8_to_7() -> None:
    packed = torch.tensor([[0x76543210, -0x01234568]], dtype=torch.int32)  # the second is 0xFEDCBA98
    out = torch.empty(1, 16)
    int4.expand(packed.view(torch.uint8), torch.tensor([[0.5]]), group=16, out=out)
    assert (2 * out[0]).tolist() == list(range(-8, 8))


def test_pieces_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    packed, scales = quantise(torch.randn(50, 64, generator=torch.Generator().manual_seed(0)), 16)
    monkeypatch.setattr(int4, "_PIECE", 7 * 64)
    out = torch.empty(50, 64)
    int4.expand(packed.view(torch.uint8), scales.float(), group=16, out=out)
    assert torch.equal(out, from_int4(packed, scales, 16, 64))
