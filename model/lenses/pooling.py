"""Reducing blocks of a large map to the cells of a picture. Torch-free, arrays only."""

import numpy as np
from numpy.typing import NDArray

from model.messages import Reduction

Floats = NDArray[np.float32]
Range = tuple[int, int]


class Pool:
    """Cells of one head's picture that blocks of query rows are added to."""

    def __init__(self, queries: Range, keys: Range, *, rows: int, columns: int, reduction: Reduction) -> None:
        self._queries, self._keys, self._mean = queries, keys, reduction == "mean"
        self.cell = (-(-(queries[1] - queries[0]) // rows), -(-(keys[1] - keys[0]) // columns))
        self.shape = tuple(-(-(b - a) // size) for (a, b), size in zip((queries, keys), self.cell, strict=True))
        self.clear()

    def clear(self) -> None:
        """Start the next head's picture."""
        self._cells: NDArray[np.float64] = np.full(self.shape, 0.0 if self._mean else -np.inf)
        self._counts = np.zeros(self.shape, np.int64)

    def add(self, values_QK: Floats, queries: Range, first_key: int) -> None:
        """Values of some query rows, for keys from `first_key` on; −inf where masked."""
        start, end = self._keys[0] - first_key, min(self._keys[1] - first_key, values_QK.shape[1])
        if start >= end:
            return
        values_QK = values_QK[:, start:end]
        # Each cell's first row and first key within these values.
        row_starts = [max(r - queries[0], 0) for r in range(*self._aligned(queries), self.cell[0])]
        key_starts = list(range(0, end - start, self.cell[1]))
        at = (queries[0] - self._queries[0]) // self.cell[0]
        cells = (slice(at, at + len(row_starts)), slice(0, len(key_starts)))
        if not self._mean:
            reduced = np.maximum.reduceat(np.maximum.reduceat(values_QK, key_starts, axis=1), row_starts, axis=0)
            self._cells[cells] = np.maximum(self._cells[cells], reduced)
            return
        seen = np.isfinite(values_QK)
        for total, terms in ((self._cells, np.where(seen, values_QK, 0)), (self._counts, seen)):
            by_key = np.add.reduceat(terms, key_starts, axis=1, dtype=total.dtype)
            total[cells] += np.add.reduceat(by_key, row_starts, axis=0)

    def result(self) -> Floats:
        """The picture, float32 [rows, columns]."""
        if not self._mean:
            return np.where(np.isneginf(self._cells), np.nan, self._cells).astype(np.float32)
        with np.errstate(invalid="ignore"):
            return (self._cells / self._counts).astype(np.float32)  # 0 / 0: nothing visible, NaN

    def _aligned(self, queries: Range) -> Range:
        offset = (queries[0] - self._queries[0]) % self.cell[0]
        return queries[0] - offset, queries[1]
