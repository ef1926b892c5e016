"""What a stored tensor is to the loader, whichever format it is stored in."""

from collections import Counter
from collections.abc import Iterable
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

        The file's pages are read-only: writing to them ends the process.
        Raises Problem when the file has changed since it was described.
        """
        ...

    def fill(self, out: Tensor, first_row: int = 0) -> None:
        """The same values from row `first_row` on into `out`, as many rows as it has; contiguous, on the CPU.

        Fresh memory costs more than the expansion itself, so whoever expands often brings its own. A load asks for
        some rows at a time, so that one tensor of a billion elements does not hold it up: no more work than theirs.
        """
        ...


def bytes_by_format(tensors: Iterable[Stored]) -> dict[str, int]:
    """Stored bytes of all tensors by format, the largest first."""
    counts: Counter[str] = Counter()
    for tensor in tensors:
        counts[tensor.format] += tensor.stored_bytes
    return dict(counts.most_common())
