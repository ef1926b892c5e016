"""The cells of one head's picture, growing downwards as query rows are added. Torch-free."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.lenses.bins import Bins, kernels
from model.lenses.fold_plain import NOTHING
from model.lenses.reader import Positions
from model.message import CellReduction

Span = tuple[int, int]


class Grid:
    """Cells of cell = (queries, keys) tokens from (queries[0], keys[0]) on; `done` query rows are in them, in order.

    `probability` cells hold maxima of ln p, sums of p; others hold scores.
    """

    def __init__(
        self, start: tuple[int, int], cell: tuple[int, int], *, reduction: CellReduction, softmax: bool
    ) -> None:
        self.start, self.cell = start, cell
        self.reduction, self.softmax = reduction, softmax
        self.until = start[0]  # queries before this are all in
        self._values: NDArray[Any] = np.empty((0, 0), np.float64 if self.adds else np.float32)
        self._pairs = np.zeros((0, 0), np.int64)
        self._rows = np.zeros(0, np.int64)

    @property
    def adds(self) -> bool:
        """Whether cells are sums rather than maxima."""
        return self.reduction != "max"

    @property
    def nbytes(self) -> int:
        """Of all arrays."""
        return self._values.nbytes + self._pairs.nbytes

    def reserve(self, queries_end: int, keys_end: int) -> None:
        """Have cells up to these tokens."""
        rows = max(-(-(queries_end - self.start[0]) // self.cell[0]), self._values.shape[0])
        columns = max(-(-(keys_end - self.start[1]) // self.cell[1]), self._values.shape[1])
        if (rows, columns) == self._values.shape:
            return
        self._values = _larger(self._values, rows, columns, 0.0 if self.adds else float(NOTHING))
        if self.adds:
            self._pairs = _larger(self._pairs, rows, columns, 0)
        self._rows = np.append(self._rows, np.zeros(rows - len(self._rows), np.int64))

    def add(self, bins: Bins, view: int, less_Q: NDArray[np.float64]) -> None:
        """Add some queries' bins, of which `view` is the first in view; `less_Q` is taken off scores before exp."""
        row_Q = (bins.query_Q - self.start[0]) // self.cell[0]
        columns = min(bins.count - view, self._values.shape[1])
        first, last = int(row_Q[0]), int(row_Q[-1]) + 1
        np.add.at(self._rows, row_Q, 1)
        if columns <= 0:
            return
        at = slice(first, last), slice(0, columns)
        if self.adds:
            kernels().pool_sums(
                *(bins.most_BQ, bins.total_BQ, less_Q, view, bins.edges, bins.query_Q, row_Q - first, self.softmax),
                *(self._values[at], self._pairs[at]),
            )
        else:
            kernels().pool_greatest(
                bins.most_BQ, less_Q, view, bins.edges, bins.query_Q, row_Q - first, self._values[at]
            )

    def result(self, queries_end: int, keys_end: int, *, rows: Span | None = None) -> NDArray[np.float32]:
        """float32 [rows, columns], all rows of cells or some; NaN where no query that was added sees a key."""
        first, last = rows or (0, -(-(queries_end - self.start[0]) // self.cell[0]))
        columns = -(-(keys_end - self.start[1]) // self.cell[1])
        values = self._values[first:last, :columns]
        if not self.adds:
            cells: NDArray[np.float32] = np.where(values > NOTHING, values, np.float32(np.nan))
            return np.exp(cells, out=cells) if self.softmax else cells
        pairs = self._pairs[first:last, :columns]
        divisor = pairs if self.reduction == "mean" else self._rows[first:last, None]
        with np.errstate(invalid="ignore", divide="ignore"):
            means: NDArray[np.float32] = np.where(pairs > 0, values / divisor, np.nan).astype(np.float32)
        return means

    def columns_seen(self, queries_end: int, keys_end: int) -> NDArray[np.int64]:
        """How many cells of each row hold a key that some query of the row sees."""
        ends = np.minimum(np.arange(self.start[0], queries_end, self.cell[0]) + self.cell[0], queries_end)
        seen: NDArray[np.int64] = np.maximum(-(-(np.minimum(ends, keys_end) - self.start[1]) // self.cell[1]), 0)
        return seen

    def row_of(self, query: int) -> int:
        """The row of cells that a query belongs to."""
        return (query - self.start[0]) // self.cell[0]


def sampled(queries: Span, count: int) -> Positions:
    """`count` of these queries, the last of each of as many equal parts; those of a quarter as many are among them."""
    total = queries[1] - queries[0]
    if count >= total:
        return np.arange(*queries, dtype=np.int64)
    return queries[0] + (np.arange(1, count + 1, dtype=np.int64) * total) // count - 1


def _larger(values: NDArray[Any], rows: int, columns: int, fill: float) -> NDArray[Any]:
    larger = np.full((rows, columns), fill, values.dtype)
    larger[: values.shape[0], : values.shape[1]] = values
    return larger
