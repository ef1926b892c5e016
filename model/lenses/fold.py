"""The pass over a block of scores, compiled: mask, running maximum and sum of exponentials for every bin of keys.

Scores lie as [keys, queries], so each query is a lane of the processor's vectors: no bin needs a sum across
lanes, however few keys it has, and causality only moves the first query of a key. A bin keeps, for each query, the
greatest score and the sum of exp(score − greatest); maxima, sums and the softmax's normaliser all follow from these.
exp is 2^n · 2^g with |g| ≤ ½ and a polynomial.
"""

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit, types
from numba.extending import overload
from numpy.typing import NDArray

importlib.import_module("model.network.cpu_decode.compiled")  # decides where machine code is kept

FAST = {"contract", "nsz", "nnan", "ninf", "arcp", "afn", "reassoc"}
NOTHING = np.float32(-1e30)  # less than any score, and its exponential is 0

_LOG2E = np.float32(1.4426950408889634)
# 2^g on −½ … ½: least squares of the relative error at Chebyshev points, below 2e-8 before rounding.
_C0, _C1, _C2, _C3, _C4, _C5, _C6 = (
    np.float32(one) for one in (1.0, 0.693147206, 0.240226466, 0.05550329, 0.00961851953, 0.00133998604, 0.000153375768)
)
_HALF, _LEAST = np.float32(0.5), np.float32(-126.0)


def _inlined(function: Callable[..., Any]) -> Any:
    return njit(inline="always", fastmath=FAST, error_model="numpy")(function)


def _entry(function: Callable[..., Any]) -> Any:
    return njit(nogil=True, fastmath=FAST, error_model="numpy", cache=True)(function)


@_inlined
def _exp(x: Any) -> Any:
    """exp of a float32 that is not above 0."""
    t = max(x * _LOG2E, _LEAST)
    n = np.int32(t - _HALF)
    g = t - np.float32(n)
    p = (((((_C6 * g + _C5) * g + _C4) * g + _C3) * g + _C2) * g + _C1) * g + _C0
    return p * np.int32((n + np.int32(127)) << np.int32(23)).view(np.float32)


def _score(stored: Any) -> Any:
    """A score as float32; uint16 are the bits of bfloat16."""
    raise NotImplementedError("compiled code takes what is overloaded below")


@overload(_score, inline="always")
def _(stored):  # type: ignore[no-untyped-def]  # numba wants the lambdas' signature, annotations included
    if isinstance(stored, types.Float):
        return lambda stored: stored
    return lambda stored: np.uint32(np.uint32(stored) << np.uint32(16)).view(np.float32)


@_inlined
def _raise(most: Any, row: Any) -> None:
    for q in range(most.shape[0]):
        most[q] = max(most[q], _score(row[q]))


@_inlined
def _raise_4(most: Any, a: Any, b: Any, c: Any, d: Any) -> None:
    for q in range(most.shape[0]):
        most[q] = max(most[q], max(max(_score(a[q]), _score(b[q])), max(_score(c[q]), _score(d[q]))))


@_inlined
def _add(total: Any, row: Any, most: Any) -> None:
    for q in range(most.shape[0]):
        total[q] += _exp(_score(row[q]) - most[q])


@_inlined
def _add_4(total: Any, a: Any, b: Any, c: Any, d: Any, most: Any) -> None:
    for q in range(most.shape[0]):
        m = most[q]
        total[q] += (_exp(_score(a[q]) - m) + _exp(_score(b[q]) - m)) + (
            _exp(_score(c[q]) - m) + _exp(_score(d[q]) - m)
        )


@_inlined
def _rescale(total: Any, before: Any, most: Any) -> None:
    for q in range(most.shape[0]):
        total[q] *= _exp(before[q] - most[q])


@_inlined
def _sum(total: Any, row: Any) -> None:
    for q in range(total.shape[0]):
        total[q] += _score(row[q])


@_entry
def fold_softmax(
    scores_KQ: NDArray[np.float32] | NDArray[np.uint16],
    first_key: int,
    query_Q: NDArray[np.int64],
    edges: NDArray[np.int64],
    first_bin: int,
    most_BQ: NDArray[np.float32],
    total_BQ: NDArray[np.float32],
    before_Q: NDArray[np.float32],
) -> None:
    """Fold scores of keys from `first_key` on into the bins from `first_bin` on. `before_Q` is scratch.

    Scores are float32, or bfloat16 given as its bits.

    Queries ascend; a key is seen by the queries at or after it. Bin b holds keys edges[b] … edges[b + 1] − 1.
    """
    keys, queries = scores_KQ.shape
    start, bin = 0, first_bin
    while bin + 1 < edges.shape[0] and edges[bin] < first_key + keys:
        a, e = max(edges[bin] - first_key, 0), min(edges[bin + 1] - first_key, keys)
        while start < queries and query_Q[start] < first_key + a:
            start += 1
        if start == queries:
            return
        most, total = most_BQ[bin], total_BQ[bin]
        before_Q[:] = most
        seen, k = start, a
        whole = min(e, query_Q[start] - first_key + 1)  # keys before this are seen by all of these queries
        while k + 4 <= whole:
            _raise_4(
                most[start:],
                scores_KQ[k, start:],
                scores_KQ[k + 1, start:],
                scores_KQ[k + 2, start:],
                scores_KQ[k + 3, start:],
            )
            k += 4
        while k < e:
            while seen < queries and query_Q[seen] < first_key + k:
                seen += 1
            _raise(most[seen:], scores_KQ[k, seen:])
            k += 1
        _rescale(total, before_Q, most)
        seen, k = start, a
        while k + 4 <= whole:
            _add_4(
                total[start:],
                scores_KQ[k, start:],
                scores_KQ[k + 1, start:],
                scores_KQ[k + 2, start:],
                scores_KQ[k + 3, start:],
                most[start:],
            )
            k += 4
        while k < e:
            while seen < queries and query_Q[seen] < first_key + k:
                seen += 1
            _add(total[seen:], scores_KQ[k, seen:], most[seen:])
            k += 1
        bin += 1


@_entry
def fold_scores(
    scores_KQ: NDArray[np.float32] | NDArray[np.uint16],
    first_key: int,
    query_Q: NDArray[np.int64],
    edges: NDArray[np.int64],
    first_bin: int,
    most_BQ: NDArray[np.float32],
    total_BQ: NDArray[np.float32],
    adds: bool,
) -> None:
    """Like `fold_softmax`, but keeps the greatest score and, with `adds`, the plain sum of scores."""
    keys, queries = scores_KQ.shape
    start, bin = 0, first_bin
    while bin + 1 < edges.shape[0] and edges[bin] < first_key + keys:
        a, e = max(edges[bin] - first_key, 0), min(edges[bin + 1] - first_key, keys)
        for k in range(a, e):
            while start < queries and query_Q[start] < first_key + k:
                start += 1
            _raise(most_BQ[bin, start:], scores_KQ[k, start:])
            if adds:
                _sum(total_BQ[bin, start:], scores_KQ[k, start:])
        bin += 1


@_entry
def normalisers(
    most_BQ: NDArray[np.float32], total_BQ: NDArray[np.float32], bins: int, result_Q: NDArray[np.float64]
) -> None:
    """ln Σ exp(score) of every query, over the first `bins` bins."""
    queries = most_BQ.shape[1]
    top, total = np.full(queries, NOTHING), np.zeros(queries, np.float32)
    for bin in range(bins):
        _raise(top, most_BQ[bin])
    for bin in range(bins):
        most, part = most_BQ[bin], total_BQ[bin]
        for q in range(queries):
            total[q] += part[q] * _exp(most[q] - top[q])
    for q in range(queries):
        result_Q[q] = np.float64(top[q]) + np.log(np.float64(total[q]))


@_entry
def pool_greatest(
    most_BQ: NDArray[np.float32],
    less_Q: NDArray[np.float64],
    first_bin: int,
    edges: NDArray[np.int64],
    query_Q: NDArray[np.int64],
    row_Q: NDArray[np.int64],
    cells: NDArray[np.float32],
) -> None:
    """Raise cells [rows, columns] to the greatest score − less of their queries, bins from `first_bin` on."""
    queries = query_Q.shape[0]
    last = query_Q[queries - 1]
    for column in range(cells.shape[1]):
        bin = first_bin + column
        if edges[bin] > last:
            return
        q = 0
        while query_Q[q] < edges[bin]:
            q += 1
        while q < queries:
            row, best = row_Q[q], NOTHING
            end = q
            while end < queries and row_Q[end] == row:
                end += 1
            for at in range(q, end):
                best = max(best, np.float32(most_BQ[bin, at] - less_Q[at]))
            cells[row, column] = max(cells[row, column], best)
            q = end


@_entry
def pool_sums(
    most_BQ: NDArray[np.float32],
    total_BQ: NDArray[np.float32],
    less_Q: NDArray[np.float64],
    first_bin: int,
    edges: NDArray[np.int64],
    query_Q: NDArray[np.int64],
    row_Q: NDArray[np.int64],
    softmax: bool,
    cells: NDArray[np.float64],
    pairs: NDArray[np.int64],
) -> None:
    """Add sums of probabilities, or of scores without `softmax`, to cells, and to `pairs` how many were added."""
    queries = query_Q.shape[0]
    last = query_Q[queries - 1]
    for column in range(cells.shape[1]):
        bin = first_bin + column
        if edges[bin] > last:
            return
        for q in range(queries):
            seen = min(edges[bin + 1], query_Q[q] + 1) - edges[bin]
            if seen > 0:
                value = total_BQ[bin, q]
                if softmax:
                    value *= _exp(min(np.float32(most_BQ[bin, q] - less_Q[q]), np.float32(0)))
                cells[row_Q[q], column] += value
                pairs[row_Q[q], column] += seen


@njit(nogil=True, error_model="numpy", cache=True)
def fill_from_below(values: NDArray[np.float32], columns_seen: NDArray[np.int64]) -> None:
    """Give cells that are NaN, of the first columns_seen[row] of each row, the value of the row below."""
    for row in range(values.shape[0] - 2, -1, -1):
        for column in range(columns_seen[row]):
            if np.isnan(values[row, column]):
                values[row, column] = values[row + 1, column]
