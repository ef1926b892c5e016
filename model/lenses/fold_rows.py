"""Passes over whole rows of scores, compiled: softmax, what it says of each query, and what queries add up to.

Arrays lie as [keys, queries] like those of `model.lenses.fold`; a query sees the keys up to its own.
"""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from model.lenses.fold import FAST, NOTHING, _exp, _inlined, _raise


def _entry(function: Any) -> Any:
    return njit(nogil=True, fastmath=FAST, error_model="numpy", cache=True)(function)


@_inlined
def _raise_sum(most: Any, content: Any, position: Any) -> None:
    for q in range(most.shape[0]):
        most[q] = max(most[q], content[q] + position[q])


@_inlined
def _moments(content: Any, position: Any, c: Any, p: Any, cc: Any, pp: Any, cp: Any) -> None:
    for q in range(c.shape[0]):
        one, two = np.float64(content[q]), np.float64(position[q])
        c[q] += one
        p[q] += two
        cc[q] += one * one
        pp[q] += two * two
        cp[q] += one * two


@_inlined
def _sum_exp(total: Any, content: Any, position: Any, most: Any) -> None:
    for q in range(total.shape[0]):
        total[q] += _exp(content[q] + position[q] - most[q])


@_inlined
def _soft(content: Any, position: Any, normaliser: Any, entropy: Any, distance: Any, at: Any, key: Any) -> None:
    for q in range(entropy.shape[0]):
        logarithm = content[q] + position[q] - normaliser[q]
        share = _exp(min(logarithm, np.float32(0)))
        content[q] = share
        entropy[q] -= np.float64(share * logarithm)
        distance[q] += np.float64(share) * np.float64(at[q] - key)


@_entry
def soften(
    content_KQ: NDArray[np.float32],
    position_KQ: NDArray[np.float32],
    query_Q: NDArray[np.int64],
    result: NDArray[np.float64],
) -> None:
    """Put probabilities, 0 where masked, into `content_KQ`; result [6, queries] gets what the rows are like.

    0 entropy in nats, 1 mean distance in tokens, 2 variance of content scores over the keys seen, 3 of position
    scores, 4 their covariance, 5 ln Σ exp(score).
    """
    keys, queries = content_KQ.shape
    most, total = np.full(queries, NOTHING), np.zeros(queries, np.float32)
    sums = np.zeros((5, queries))
    start = 0
    for k in range(keys):
        while query_Q[start] < k:
            start += 1
        content, position = content_KQ[k, start:], position_KQ[k, start:]
        _raise_sum(most[start:], content, position)
        c, p, cc, pp, cp = sums[0, start:], sums[1, start:], sums[2, start:], sums[3, start:], sums[4, start:]
        _moments(content, position, c, p, cc, pp, cp)
    start = 0
    for k in range(keys):
        while query_Q[start] < k:
            start += 1
        _sum_exp(total[start:], content_KQ[k, start:], position_KQ[k, start:], most[start:])
    normaliser = np.empty(queries, np.float32)
    for q in range(queries):
        seen = query_Q[q] + 1.0
        c, p = sums[0, q] / seen, sums[1, q] / seen
        result[0, q] = result[1, q] = 0.0
        result[2, q] = max(sums[2, q] / seen - c * c, 0.0)
        result[3, q] = max(sums[3, q] / seen - p * p, 0.0)
        result[4, q] = sums[4, q] / seen - c * p
        result[5, q] = most[q] + np.log(np.float64(total[q]))
        normaliser[q] = np.float32(result[5, q])
    start = 0
    for k in range(keys):
        while query_Q[start] < k:
            content_KQ[k:, start] = 0
            start += 1
        entropy, distance = result[0, start:], result[1, start:]
        row, position = content_KQ[k, start:], position_KQ[k, start:]
        _soft(row, position, normaliser[start:], entropy, distance, query_Q[start:], k)


@njit(nogil=True, error_model="numpy", cache=True)
def find(
    share_KQ: NDArray[np.float32],
    query_Q: NDArray[np.int64],
    order_T: NDArray[np.int64],
    rank_T: NDArray[np.int64],
    first_T: NDArray[np.int64],
    near: int,
    result: NDArray[np.float64],
) -> None:
    """Where each query's attention goes, result [5, queries]; NaN where a query does not qualify.

    0 the first token, 1 the token before, 2 tokens behind earlier occurrences of the query's token, 3 those
    occurrences, 4 the last `near` tokens. Occurrences of token t before it: order_T[first_T[t] : rank_T[t]].
    """
    for q in range(query_Q.shape[0]):
        t = query_Q[q]
        result[:, q] = np.nan
        if t > 0:
            result[0, q] = share_KQ[0, q]
            result[1, q] = share_KQ[t - 1, q]
        if t >= 2 * near - 1:
            result[4, q] = 0.0
            for k in range(t - near + 1, t + 1):
                result[4, q] += share_KQ[k, q]
        if first_T[t] < rank_T[t]:
            behind, on = 0.0, 0.0
            for at in range(first_T[t], rank_T[t]):
                on += share_KQ[order_T[at], q]
                behind += share_KQ[order_T[at] + 1, q]
            result[2, q], result[3, q] = behind, on


@_inlined
def _gather(running: Any, row: Any) -> Any:
    total = np.float32(0)
    for q in range(running.shape[0]):
        running[q] += row[q]
        total += row[q]
    return total


@_entry
def spread(
    share_KQ: NDArray[np.float32],
    query_Q: NDArray[np.int64],
    received_T: NDArray[np.float64],
    distance_B: NDArray[np.float64],
) -> None:
    """Add attention that keys receive, and attention by distance: bin 0 is 0 tokens, bin b from 2^(b − 1) on."""
    keys, queries = share_KQ.shape
    running = np.zeros(queries)
    start = 0
    for q in range(queries):
        # The first keys of a row are the farthest: a bin ends where the running sum was when the next one began.
        _far(share_KQ, query_Q[q], q, distance_B)
    for k in range(keys):
        while query_Q[start] < k:
            start += 1
        received_T[k] += _gather(running[start:], share_KQ[k, start:])


@_inlined
def _far(share_KQ: Any, t: Any, q: Any, distance_B: Any) -> None:
    bin, near = 0, 0
    while near <= t:
        far = 1 << bin  # distances near … far − 1
        total = 0.0
        for k in range(max(t - far + 1, 0), t - near + 1):
            total += share_KQ[k, q]
        distance_B[bin] += total
        near = far
        bin += 1


@_entry
def greatest_cells(
    values_KQ: NDArray[np.float32],
    query_Q: NDArray[np.int64],
    row_Q: NDArray[np.int64],
    cell: int,
    cells: NDArray[np.float32],
) -> None:
    """Raise cells [rows, columns] of `cell` keys each to the greatest value that a query of the row sees."""
    keys, queries = values_KQ.shape
    most = np.empty(queries, np.float32)
    for column in range(-(-keys // cell)):
        most[:] = NOTHING
        start = 0
        for k in range(column * cell, min((column + 1) * cell, keys)):
            while query_Q[start] < k:
                start += 1
            _raise(most[start:], values_KQ[k, start:])
        for q in range(queries):
            cells[row_Q[q], column] = max(cells[row_Q[q], column], most[q])
