"""Stored tensors without a file: plain values that remember how often they were asked for."""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from model.shapes import Shape


@dataclass(eq=False)
class FakeStored:
    """`tensor` as a file of some other format would hold it; `mapped_dtype` None means it must be expanded."""

    tensor: Tensor
    mapped_dtype: torch.dtype | None = None
    format: str = "fake"
    fills: list[int] = field(default_factory=list)
    broken: bool = False

    @property
    def shape(self) -> Shape:
        return tuple(self.tensor.shape)

    @property
    def stored_bytes(self) -> int:
        return self.tensor.numel()

    def values(self, dtype: torch.dtype) -> Tensor:
        return self.tensor.to(dtype)

    def fill(self, out: Tensor, first_row: int = 0) -> None:
        if self.broken:
            raise OSError("the disk is gone")
        self.fills.append(len(out))
        out.copy_(self.tensor[first_row : first_row + len(out)])
