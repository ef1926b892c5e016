"""Pictures of attention at any length, in stages: a few rows at once, then more, then every one."""

import time
from collections.abc import Generator, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from model.lenses.bins import kernels
from model.lenses.grid import Grid, Span, sampled
from model.lenses.kept import Kept
from model.lenses.reader import Positions
from model.lenses.scorer import QUERY_BLOCK, Scorer
from model.lenses.walk import Plan, plan, walk
from model.message import CellReduction, Quantity
from model.problems import Problem

STAGES = (64, 256, 1024)
QUICK_PRODUCTS = 2**31  # a stage of less work than this on the way to a better one is not worth showing
TOLD_SECONDS = 0.4
MOST_CELLS = 2**22
MOST_HEADS = 16
QUERY_BATCH = 2 * QUERY_BLOCK  # queries projected in one go

Floats = NDArray[np.float32]


class Wanted(NamedTuple):
    """What is looked at, whichever heads."""

    queries: Span
    keys: Span
    cell: tuple[int, int]
    quantity: Quantity
    reduction: CellReduction


class Stage(NamedTuple):
    """One stage: `values` float32 [heads, rows, columns], NaN where masked."""

    values: Floats
    rows_done: int
    final: bool


def check(wanted: Wanted, heads: int) -> None:
    """Refuse what cannot be drawn. Raises Problem."""
    if min(wanted.cell) < 1:
        raise Problem(f"A cell of {wanted.cell[0]} × {wanted.cell[1]} tokens is none; use one token or more.")
    rows, columns = (
        -(-(b - a) // size) for (a, b), size in zip((wanted.queries, wanted.keys), wanted.cell, strict=True)
    )
    if rows * columns > MOST_CELLS:
        raise Problem(f"A picture of {rows:,} × {columns:,} cells is too large; use larger cells.")
    if not 1 <= heads <= MOST_HEADS:
        raise Problem(f"{heads} heads cannot be drawn at once; choose from 1 to {MOST_HEADS}.")
    if wanted.reduction == "sum" and wanted.quantity != "probability":
        raise Problem("Only probabilities can be summed over keys; choose max or mean for scores.")


class HeadPicture:
    """One head's picture on its way: rows sampled so far, and a kept grid of all rows, in order."""

    def __init__(self, scorer: Scorer, wanted: Wanted, kept: Kept) -> None:
        self.scorer, self.wanted = scorer, wanted
        reader = scorer.reader
        start = (wanted.queries[0], wanted.keys[0])
        self._softmax = wanted.quantity == "probability"
        key = (reader.recording.info.run, reader.layer, reader.head, scorer.arithmetic, start, wanted.cell)
        kind = (wanted.quantity, wanted.reduction)
        # A picture that reaches further than the last one has its rows already, since no row sees later keys;
        # its keys must not have been cut off before what those rows see.
        cut = wanted.keys[1] if wanted.keys[1] < wanted.queries[1] else None
        self.grid = kept.get((*key, *kind, cut), self._new)
        if self.grid.until > wanted.queries[1] and (wanted.queries[1] - start[0]) % wanted.cell[0]:
            self.grid = self._new()  # the kept one's last row of cells reaches further than asked
        self.grid.reserve(wanted.queries[1], wanted.keys[1])
        self._sampled = self._new()
        self.done: Positions = np.empty(0, np.int64)  # sampled queries

    @property
    def rows_done(self) -> int:
        """Queries whose values are in the picture as it would be shown now."""
        end = min(self.grid.until, self.wanted.queries[1])
        return end - self.wanted.queries[0] + int((self.done >= end).sum())

    @property
    def missing(self) -> int:
        """Queries that the kept grid lacks."""
        return max(self.wanted.queries[1] - self.grid.until, 0)

    def products(self, rows: int) -> float:
        """Multiplications for so many of the missing rows, about."""
        seen = self.wanted.queries[1]
        seen -= (self.wanted.queries[1] - self.grid.until) // 2
        return float(rows) * seen * self.scorer.reader.width

    def sample(self, rows: int) -> Iterator[None]:
        """Look at `rows` queries spread over those that are missing; those looked at already are not again."""
        queries = sampled((self.grid.until, self.wanted.queries[1]), rows)
        queries = np.setdiff1d(queries, self.done)
        yield from self._rows(self._sampled, queries, rows=rows)
        self.done = np.union1d(self.done, queries)

    def every_row(self) -> Iterator[None]:
        """Look at all that are missing, in order."""
        end = self.wanted.queries[1]
        while self.grid.until < end:
            upto = min(self.grid.until + QUERY_BATCH, end)
            yield from self._rows(self.grid, np.arange(self.grid.until, upto), rows=end - self.grid.until)

    def values(self) -> Floats:
        """The picture as it is now."""
        ends = self.wanted.queries[1], self.wanted.keys[1]
        if not self.missing or not len(self.done):
            return self.grid.result(*ends)
        whole, last = self.grid.row_of(self.grid.until), self.grid.row_of(ends[0] - 1) + 1
        rest = self._sampled.result(*ends, rows=(whole, last))
        kernels().fill_from_below(rest, self.grid.columns_seen(*ends)[whole:])
        return np.concatenate((self.grid.result(*ends, rows=(0, whole)), rest))

    def _new(self) -> Grid:
        start = (self.wanted.queries[0], self.wanted.keys[0])
        return Grid(start, self.wanted.cell, reduction=self.wanted.reduction, softmax=self._softmax)

    def _rows(self, grid: Grid, queries: Positions, *, rows: int) -> Iterator[None]:
        """Add these queries to a grid; `rows` are to come in all, which decides whether keys are expanded."""
        wanted, scorer = self.wanted, self.scorer
        grid.reserve(wanted.queries[1], wanted.keys[1])
        known = not self._softmax or scorer.normalisers.of(queries) is not None
        last = int(queries[-1]) + 1 if len(queries) else 0
        reach = last if not known else min(last, wanted.keys[1])
        yield from scorer.prepare(wanted.quantity, rows=rows, keys=reach)
        way = plan(wanted.keys, wanted.cell[1], last=last, softmax=not known)
        for a in range(0, len(queries), QUERY_BATCH):
            batch = queries[a : a + QUERY_BATCH]
            q_QX = scorer.queries(batch, wanted.quantity)
            yield
            for b in range(0, len(batch), QUERY_BLOCK):
                at = slice(b, b + QUERY_BLOCK)
                yield from self._block(grid, q_QX[at], batch[at], way, known=known)

    def _block(self, grid: Grid, q_QX: Tensor, query_Q: Positions, way: Plan, *, known: bool) -> Iterator[None]:
        scorer, quantity = self.scorer, self.wanted.quantity
        less_Q = np.zeros(len(query_Q))
        if known and self._softmax:
            normalisers_Q = scorer.normalisers.of(query_Q)
            assert normalisers_Q is not None
            less_Q = normalisers_Q
        folds = self._softmax and (not known or grid.adds)
        if len(way.edges) > 1 and query_Q[-1] >= way.edges[0]:
            bins = yield from walk(scorer, q_QX, query_Q, way, quantity=quantity, softmax=folds, adds=grid.adds)
            if not known:
                less_Q = bins.normalisers()
                scorer.normalisers.keep(query_Q, less_Q)
            bins.arrive()
            grid.add(bins, way.view, less_Q)
        if int(query_Q[0]) == grid.until and grid is self.grid:
            grid.until = int(query_Q[-1]) + 1


def pictures(heads: Sequence[HeadPicture], *, minus: Sequence[HeadPicture] = ()) -> Generator[Stage | None, None, None]:
    """Stages of some heads side by side, the last of them final; None after every piece of work in between.

    With `minus`, as many heads, values are differences.
    """
    everyone = [*heads, *minus]

    def stage(*, final: bool = False) -> Stage:
        values = np.stack([one.values() for one in heads]) if len(heads) > 1 else heads[0].values()[None]
        if minus:
            values -= np.stack([one.values() for one in minus])
        return Stage(values, min(one.rows_done for one in everyone), final)

    missing, work = everyone[0].missing, sum(one.products(one.missing) for one in everyone)
    counts = [count for count in STAGES if 2 * count <= missing] if work > QUICK_PRODUCTS else []
    for index, count in enumerate(counts):
        after = counts[index + 1] if index + 1 < len(counts) else missing
        for one in everyone:
            yield from one.sample(count)
        if sum(one.products(after) for one in everyone) > QUICK_PRODUCTS / 4:
            yield stage()
    told = time.monotonic()
    for one in everyone:
        for piece in one.every_row():
            yield piece
            if time.monotonic() - told > TOLD_SECONDS and counts:
                yield stage()
                told = time.monotonic()
        one.scorer.rest()
    yield stage(final=True)
