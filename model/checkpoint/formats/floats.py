"""Tensors stored as plain floats: in the file's own pages where nothing has to be converted. And scales."""

from dataclasses import dataclass
from math import prod
from typing import NamedTuple

import torch
from torch import Tensor

from model.checkpoint.mapped import MappedFile
from model.shapes import Shape

# By the names of safetensors: what torch calls them.
FLOATS: dict[str, torch.dtype] = {
    "F32": torch.float32,
    "BF16": torch.bfloat16,
    "F16": torch.float16,
    "F64": torch.float64,
}
# Scales may also be powers of two, written as their exponent plus 127 under either name.
SCALES = FLOATS | {"F8_E8M0": torch.float8_e8m0fnu, "U8": torch.float8_e8m0fnu}


@dataclass(frozen=True, slots=True)
class StoredFloats:
    """A Stored from byte `start` of a file on; `dtype` is a key of FLOATS."""

    file: MappedFile
    start: int
    shape: Shape
    dtype: str

    @property
    def format(self) -> str:
        """Like "bfloat16"."""
        return str(FLOATS[self.dtype]).removeprefix("torch.")

    @property
    def stored_bytes(self) -> int:
        """Bytes in the file."""
        return prod(self.shape) * FLOATS[self.dtype].itemsize

    @property
    def mapped_dtype(self) -> torch.dtype | None:
        """The stored dtype; None behind a header of odd length, since torch wants elements aligned."""
        dtype = FLOATS[self.dtype]
        return None if self.start % dtype.itemsize else dtype

    def values(self, dtype: torch.dtype) -> Tensor:
        """See Stored."""
        source = self._source()
        return source if dtype == self.mapped_dtype else source.to(dtype)

    def fill(self, out: Tensor, first_row: int = 0) -> None:
        """See Stored."""
        out.copy_(self._source()[first_row : first_row + out.shape[0]])

    def _source(self) -> Tensor:
        return _read(self.file, self.start, self.shape, FLOATS[self.dtype])


class Scales(NamedTuple):
    """The scales of one matrix, [height, width], from byte `start` on; `dtype` is a key of SCALES."""

    file: MappedFile
    start: int
    height: int
    width: int
    dtype: str

    @property
    def itemsize(self) -> int:
        """Bytes of one scale."""
        return SCALES[self.dtype].itemsize

    def read(self, first: int = 0, end: int | None = None) -> Tensor:
        """Rows `first` to `end`, float32 [rows, width]. Raises Problem when the file has changed since described."""
        rows = (self.height if end is None else end) - first
        start = self.start + first * self.width * self.itemsize
        return _read(self.file, start, (rows, self.width), SCALES[self.dtype]).to(torch.float32)


def _read(file: MappedFile, start: int, shape: Shape, dtype: torch.dtype) -> Tensor:
    """Elements in the file's pages, or copied out of them where they are not aligned."""
    raw = file.bytes(start, start + prod(shape) * dtype.itemsize)
    return (raw.clone() if start % dtype.itemsize else raw).view(dtype).view(shape)
