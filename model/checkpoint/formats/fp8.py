"""FP8 weights with a scale per block, as DeepSeek-V3 stores them: W[m, n] = code[m, n] · S[m // rows, n // columns].

The scale is a multiplier in spite of its name, `weight_scale_inv`. The last blocks of a row or column are
shorter when the shape is no multiple of the block's (DeepSeek-V3, README_WEIGHTS.md).
"""

from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor

from model.checkpoint.formats.floats import Scales
from model.checkpoint.formats.scheme import BlockFp8
from model.checkpoint.mapped import MappedFile
from model.shapes import Shape

_PIECE = 2**20  # weights expanded at once: what is between codes and values stays in the processor's cache


@dataclass(frozen=True, slots=True)
class StoredFp8:
    """A Stored of e4m3 codes from byte `start` on. The matrix that has `scales` has `rows_above` it."""

    file: MappedFile
    start: int
    shape: Shape
    rows_above: int
    scales: Scales
    block: BlockFp8

    @property
    def format(self) -> str:
        """See Stored."""
        return "fp8 e4m3"

    @property
    def stored_bytes(self) -> int:
        """Codes and the scales of their blocks."""
        rows, block = self.shape[0], self.block.rows
        blocks = -(-(self.rows_above + rows) // block) - self.rows_above // block
        return prod(self.shape) + blocks * self.scales.width * self.scales.itemsize

    @property
    def mapped_dtype(self) -> torch.dtype | None:
        """None: codes alone are no values."""
        return None

    def values(self, dtype: torch.dtype) -> Tensor:
        """See Stored."""
        out = torch.empty(self.shape, dtype=dtype)
        self.fill(out)
        return out

    def fill(self, out: Tensor, first_row: int = 0) -> None:
        """See Stored. Products are rounded to float32, then to the dtype of `out`."""
        rows, columns = out.shape
        start = self.start + first_row * columns
        codes = self.file.bytes(start, start + rows * columns).view(torch.int8).view(rows, columns)
        blocks = (torch.arange(first_row, first_row + rows) + self.rows_above) // self.block.rows
        expand(codes, self.scales.read()[blocks], columns=self.block.columns, out=out)


def expand(codes_RC: Tensor, scales_RS: Tensor, *, columns: int, out: Tensor) -> None:
    """Codes int8 [R, C] times the scale of their block of `columns`, float32 [R, ⌈C / columns⌉], into out [R, C]."""
    step = min(max(_PIECE // codes_RC.shape[1], 1), len(codes_RC))
    halves = torch.empty((step, codes_RC.shape[1]), dtype=torch.int16)
    floats = torch.empty(halves.shape) if out.dtype != torch.float32 else None
    for codes, scales, target in zip(codes_RC.split(step), scales_RS.split(step), out.split(step), strict=True):
        wide = target if floats is None else floats[: len(codes)]
        wide.copy_(_decoded(codes, halves[: len(codes)]))
        if codes.max() == 127 or codes.view(torch.uint8).max() == 255:
            wide.masked_fill_((codes & 127) == 127, torch.nan)
        scale_blocks(wide, scales, columns=columns)
        if wide is not target:
            target.copy_(wide)


def scale_blocks(values_RC: Tensor, scales_RS: Tensor, *, columns: int) -> None:
    """Multiply every `columns` neighbours of a row, and what is left at its end, by their scale in place."""
    whole = values_RC.shape[1] // columns
    values_RC[:, : whole * columns].unflatten(1, (whole, columns)).mul_(scales_RS[:, :whole, None])
    if whole < scales_RS.shape[1]:
        values_RC[:, whole * columns :].mul_(scales_RS[:, whole:])


def _decoded(codes: Tensor, room: Tensor) -> Tensor:
    """Codes as float16 in the int16 memory of `room`, exactly, but for NaN, which becomes ±480.

    Both kinds have their exponent above their mantissa, so seven places to the left a code is a float16 whose
    exponent is too small by the difference of the biases, 15 - 7. torch's own conversion takes ten times as long.
    """
    room.copy_(codes).bitwise_left_shift_(7).bitwise_and_(~0x4000)  # widening had put a copy of the sign there
    return room.view(torch.float16).mul_(2.0**8)
