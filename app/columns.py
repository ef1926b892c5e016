"""Columns that only grow: what the window keeps of a run. Numpy only.

An older State keeps its own length over the same buffers, so growing never disturbs what is shown.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray


class Column:
    """Rows of one shape and dtype; appending doubles the room when it runs out."""

    def __init__(self, row_shape: Sequence[int], dtype: DTypeLike) -> None:
        self._rows: NDArray[Any] = np.empty((64, *row_shape), dtype=dtype)
        self.length = 0

    def put(self, first: int, rows: NDArray[Any]) -> None:
        """Write rows from number `first` on; a repeated batch overwrites itself with the same values."""
        end = first + len(rows)
        if end > len(self._rows):
            grown = np.empty((max(end, 2 * len(self._rows)), *self._rows.shape[1:]), dtype=self._rows.dtype)
            grown[: self.length] = self._rows[: self.length]
            self._rows = grown
        self._rows[first:end] = rows
        self.length = max(self.length, end)

    def rows(self, length: int | None = None) -> NDArray[Any]:
        """The first `length` rows, without a copy."""
        return self._rows[: self.length if length is None else length]
