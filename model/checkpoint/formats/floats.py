"""Tensors stored as plain floats: in the file's own pages where nothing has to be converted."""

from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor

from model.checkpoint.mapped import MappedFile
from model.config import DtypeName
from model.shapes import Shape

# By the names of safetensors: what torch calls them, and what a person does.
FLOATS: dict[str, torch.dtype] = {
    "F32": torch.float32,
    "BF16": torch.bfloat16,
    "F16": torch.float16,
    "F64": torch.float64,
}
# The dtype to run in when a config names none.
RUN_DTYPES: dict[str, DtypeName] = {"F32": "float32", "BF16": "bfloat16", "F16": "float16", "F64": "float32"}


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
        out.copy_(self._source()[first_row : first_row + len(out)])

    def _source(self) -> Tensor:
        raw = self.file.bytes(self.start, self.start + self.stored_bytes)
        if self.mapped_dtype is None:
            raw = raw.clone()
        return raw.view(FLOATS[self.dtype]).view(self.shape)
