"""What a stored tensor is to the loader, whichever format it is stored in."""

from typing import Protocol

import torch
from torch import Tensor

from model.shapes import Shape


class Stored(Protocol):
    """One tensor of `model.shapes`, as its file holds it. Nothing is read until values are asked for.

    `format` is a DtypeName for plain floats, else a name like "fp8 e4m3", "int4 group 32", "Q4_K".
    """

    @property
    def shape(self) -> Shape:
        """As in `model.shapes`."""
        ...

    @property
    def format(self) -> str:
        """What a person calls it."""
        ...

    @property
    def stored_bytes(self) -> int:
        """Bytes in the files, scales included."""
        ...

    @property
    def mapped_dtype(self) -> torch.dtype | None:
        """The dtype in which `values` costs nothing, because the file's own pages hold it; None: there is none."""
        ...

    def values(self, dtype: torch.dtype) -> Tensor:
        """All of it in memory, on the CPU: the file's pages where `dtype` is `mapped_dtype`, else freshly expanded.

        Raises Problem when the file has changed since it was described.
        """
        ...

    def rows(self, start: int, end: int, dtype: torch.dtype) -> Tensor:
        """Rows start … end − 1 of `values`, freshly expanded at no more cost than theirs, so that a load can pause."""
        ...
