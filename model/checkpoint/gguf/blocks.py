"""Tensors of a GGUF file that are no plain floats: blocks that share a scale, and kv_b in two halves."""

from dataclasses import dataclass
from math import prod

import torch
from gguf import quants
from gguf.constants import GGMLQuantizationType
from torch import Tensor

from model.checkpoint.gguf.container import type_sizes
from model.checkpoint.mapped import MappedFile
from model.checkpoint.stored import Stored
from model.shapes import Shape

# What is read, besides plain floats; the package's dequantisers follow ggml-quants.c.
BLOCK_TYPES = ("Q8_0", "Q4_0", "Q4_K", "Q5_K", "Q6_K")


@dataclass(frozen=True, slots=True)
class StoredBlocks:
    """A Stored of quantised rows from byte `start` of a file on; `format` is one of BLOCK_TYPES."""

    file: MappedFile
    start: int
    shape: Shape
    format: str

    @property
    def stored_bytes(self) -> int:
        """Bytes in the file."""
        elements, size = type_sizes(self.format)
        return prod(self.shape) // elements * size

    @property
    def mapped_dtype(self) -> torch.dtype | None:
        """None: blocks are always expanded."""
        return None

    def values(self, dtype: torch.dtype) -> Tensor:
        """See Stored."""
        return self._expanded(0, self.shape[0]).to(dtype)

    def fill(self, out: Tensor, first_row: int = 0) -> None:
        """See Stored."""
        out.copy_(self._expanded(first_row, first_row + out.shape[0]))

    def _expanded(self, start: int, end: int) -> Tensor:
        """Some rows, float32."""
        row = self.stored_bytes // self.shape[0]
        raw = self.file.bytes(self.start + start * row, self.start + end * row).view(end - start, row)
        return torch.from_numpy(quants.dequantize(raw.numpy(), GGMLQuantizationType[self.format]))


@dataclass(frozen=True, slots=True)
class StoredHalves:
    """kv_b as newer files have it: W_UK transposed for the absorbed form, and W_UV, each head after head.

    `keys` is k_b as [H·C, N], `values_half` is v_b as [H·V, C]; together they are the kv_b_proj of
    `model.shapes`, [H·(N+V), C]: each head's W_UK [N, C], then its W_UV [V, C].
    """

    keys: Stored
    values_half: Stored
    heads: int

    @property
    def shape(self) -> Shape:
        """[H·(N+V), C]."""
        _, width = self.keys.shape
        height, rank = self.values_half.shape
        return self.heads * width + height, rank

    @property
    def format(self) -> str:
        """That of the half with more bytes: converters may keep one of them in a wider type."""
        return max(self.keys, self.values_half, key=lambda half: half.stored_bytes).format

    @property
    def stored_bytes(self) -> int:
        """Bytes of both halves."""
        return self.keys.stored_bytes + self.values_half.stored_bytes

    @property
    def mapped_dtype(self) -> torch.dtype | None:
        """None: the halves have to be put together."""
        return None

    def values(self, dtype: torch.dtype) -> Tensor:
        """See Stored."""
        out = torch.empty(self.shape, dtype=dtype)
        self.fill(out)
        return out

    def fill(self, out: Tensor, first_row: int = 0) -> None:
        """See Stored; only the heads that these rows are of are read."""
        rows, rank = self.shape[0] // self.heads, self.shape[1]
        first, last = first_row // rows, -(-(first_row + len(out)) // rows)
        keys_HCN = _some(self.keys, first * rank, last * rank, out.dtype).view(last - first, rank, -1)
        height = self.values_half.shape[0] // self.heads
        values_HVC = _some(self.values_half, first * height, last * height, out.dtype).view(last - first, height, rank)
        joint = torch.cat([keys_HCN.transpose(1, 2), values_HVC], dim=1).view(-1, rank)
        out.copy_(joint[first_row - first * rows :][: len(out)])


def _some(stored: Stored, start: int, end: int, dtype: torch.dtype) -> Tensor:
    """Rows `start` to `end`."""
    out = torch.empty(end - start, *stored.shape[1:], dtype=dtype)
    stored.fill(out, start)
    return out
