"""4-bit weights with a scale per group, as compressed-tensors packs them.

W[m, n] = (code[m, n] - 8) · S[m, n // group]. Eight codes of a row share an int32, the first one in its
lowest bits; a row is padded to whole int32s (compressed-tensors, format "pack-quantized", symmetric).
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from model.checkpoint.formats.floats import Scales
from model.checkpoint.formats.fp8 import scale_blocks
from model.checkpoint.mapped import MappedFile
from model.problems import Problem
from model.shapes import Shape

_PIECE = 2**20


class ShapeAgain(NamedTuple):
    """Where a file repeats the shape of the unpacked weight, as two whole numbers."""

    file: MappedFile
    start: int
    dtype: torch.dtype

    def read(self) -> list[int]:
        """Raises Problem when the file has changed since it was described."""
        return self.file.bytes(self.start, self.start + 2 * self.dtype.itemsize).clone().view(self.dtype).tolist()


@dataclass(frozen=True, slots=True)
class StoredInt4:
    """A Stored of packed codes from byte `start` on; every `group` of them share one of the scales."""

    file: MappedFile
    start: int
    shape: Shape
    scales: Scales
    group: int
    shape_again: ShapeAgain

    @property
    def format(self) -> str:
        """See Stored."""
        return f"int4 group {self.group}"

    @property
    def stored_bytes(self) -> int:
        """Codes, scales and the repeated shape."""
        scales = self.shape[0] * self.scales.width * self.scales.itemsize
        return self.shape[0] * self._row_bytes + scales + 2 * self.shape_again.dtype.itemsize

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
        """See Stored. Products are exact in float32 for float16 and bfloat16 scales, then rounded."""
        self._check_shape()
        rows, start = out.shape[0], self.start + first_row * self._row_bytes
        packed = self.file.bytes(start, start + rows * self._row_bytes).view(rows, self._row_bytes)
        expand(packed, self.scales.read(first_row, first_row + rows), group=self.group, out=out)

    @property
    def _row_bytes(self) -> int:
        return 4 * -(-self.shape[1] // 8)

    def _check_shape(self) -> None:
        if (said := self.shape_again.read()) != list(self.shape):
            raise Problem(
                f"{self.shape_again.file.path} says a weight is {said} where the config asks for {list(self.shape)}; "
                "download it again."
            )


def expand(packed_RB: Tensor, scales_RS: Tensor, *, group: int, out: Tensor) -> None:
    """Packed codes uint8 [R, B], times the scale of their group, float32 [R, ⌈C / group⌉], into out [R, C], C ≤ 2·B."""
    step = min(max(_PIECE // out.shape[1], 1), len(out))
    pairs = torch.empty((step, packed_RB.shape[1]), dtype=torch.int16)
    floats = torch.empty((step, out.shape[1])) if out.dtype != torch.float32 else None
    for packed, scales, target in zip(packed_RB.split(step), scales_RS.split(step), out.split(step), strict=True):
        wide = target if floats is None else floats[: len(target)]
        wide.copy_(_unpacked(packed, pairs[: len(packed)])[:, : target.shape[1]])
        scale_blocks(wide, scales, columns=group)
        if wide is not target:
            target.copy_(wide)


def _unpacked(packed_RB: Tensor, room: Tensor) -> Tensor:
    """int8 [R, 2·B] in the int16 memory of `room`: each byte's lower half, then its upper half, from -8 to 7."""
    room.copy_(packed_RB)
    room.bitwise_or_(room << 4).bitwise_and_(0x0F0F)
    return room.view(torch.int8).sub_(8)
