"""What a head's rows add up to: attention received by each key, by distance, and what each query is like."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from model.lenses.bins import row_kernels
from model.lenses.reader import Positions
from model.lenses.rows import in_turn, rows
from model.lenses.scorer import Scorer

SINKS = 8


class Totals:
    """Sums over the queries that were added so far, in ascending order; memory grows with tokens alone."""

    def __init__(self, tokens: int) -> None:
        self.tokens = tokens
        bins = (tokens - 1).bit_length() + 1
        self.edges = np.concatenate(([0], 2 ** np.arange(bins))).astype(np.int64)
        self.received_T = np.zeros(tokens)
        self.distance_B = np.zeros(bins)
        self._queries: list[Positions] = []
        self._numbers: list[NDArray[np.float64]] = []

    @property
    def query_Q(self) -> Positions:
        """The queries in it, int64 [n]."""
        return np.concatenate(self._queries) if self._queries else np.empty(0, np.int64)

    @property
    def numbers(self) -> NDArray[np.float64]:
        """[6, n], as `model.lenses.fold_rows.soften` says."""
        return np.concatenate(self._numbers, axis=1) if self._numbers else np.empty((6, 0))

    @property
    def seen_T(self) -> NDArray[np.int64]:
        """How many of the queries see each key."""
        counts = np.bincount(self.query_Q, minlength=self.tokens)
        seen: NDArray[np.int64] = counts[::-1].cumsum()[::-1].astype(np.int64)
        return seen

    @property
    def sinks(self) -> Positions:
        """Keys with the most mean attention of those that half of the queries see, best first."""
        seen_T = self.seen_T
        often = np.flatnonzero(2 * seen_T >= max(len(self.query_Q), 1))
        mean = self.received_T[often] / np.maximum(seen_T[often], 1)
        return often[np.argsort(-mean, kind="stable")[:SINKS]].astype(np.int64)

    def add(self, part: "Part") -> None:
        """Add a batch."""
        self.received_T[: len(part.received_K)] += part.received_K
        self.distance_B += part.distance_B
        self._queries.append(part.query_Q)
        self._numbers.append(part.numbers)


class Part(NamedTuple):
    """One batch of queries."""

    query_Q: Positions
    numbers: NDArray[np.float64]
    received_K: NDArray[np.float64]
    distance_B: NDArray[np.float64]


def aggregate(scorer: Scorer, queries: Positions, totals: Totals) -> Iterator[None]:
    """Add ascending queries to `totals`, piece by piece."""
    kernels = row_kernels()
    # Rows spread over the whole run see half of the keys on average, and count as half.
    yield from scorer.prepare("probability", rows=-(-len(queries) // 2), keys=int(queries[-1]) + 1)

    def work(query_Q: Positions) -> Part:
        some = rows(scorer, query_Q)
        numbers = np.empty((6, len(query_Q)))
        kernels.soften(some.content_KQ, some.position_KQ, query_Q, numbers)
        part = Part(query_Q, numbers, np.zeros(len(some.content_KQ)), np.zeros(len(totals.distance_B)))
        kernels.spread(some.content_KQ, query_Q, part.received_K, part.distance_B)
        return part

    for parts in in_turn(queries, work):
        for part in parts:
            totals.add(part)
        yield
