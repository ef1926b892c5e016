"""What `model.lenses.fold_rows` does, in numpy, for machines without numba."""

import numpy as np
from numpy.typing import NDArray

from model.lenses.fold_plain import NOTHING

Floats = NDArray[np.float32]
Positions = NDArray[np.int64]


def soften(content_KQ: Floats, position_KQ: Floats, query_Q: Positions, result: NDArray[np.float64]) -> None:
    """See `model.lenses.fold_rows.soften`."""
    seen_KQ = np.arange(len(content_KQ))[:, None] <= query_Q
    count_Q = query_Q + 1
    content, position = content_KQ.astype(np.float64), position_KQ.astype(np.float64)
    mean_c, mean_p = ((one * seen_KQ).sum(axis=0) / count_Q for one in (content, position))
    off_c, off_p = (content - mean_c) * seen_KQ, (position - mean_p) * seen_KQ
    scores = np.where(seen_KQ, content + position, -np.inf)
    top = scores.max(axis=0)
    normaliser = top + np.log(np.exp(scores - top).sum(axis=0))
    logarithms = scores - normaliser
    shares = np.exp(logarithms)
    result[0] = -(shares * np.where(seen_KQ, logarithms, 0)).sum(axis=0)
    result[1] = (shares * (query_Q - np.arange(len(shares))[:, None])).sum(axis=0)
    result[2], result[3] = (off_c**2).sum(axis=0) / count_Q, (off_p**2).sum(axis=0) / count_Q
    result[4], result[5] = (off_c * off_p).sum(axis=0) / count_Q, normaliser
    content_KQ[:] = shares


def find(
    share_KQ: Floats,
    query_Q: Positions,
    order_T: Positions,
    rank_T: Positions,
    first_T: Positions,
    near: int,
    result: NDArray[np.float64],
) -> None:
    """See `model.lenses.fold_rows.find`."""
    result[:] = np.nan
    for q, t in enumerate(query_Q):
        if t > 0:
            result[0, q], result[1, q] = share_KQ[0, q], share_KQ[t - 1, q]
        if t >= 2 * near - 1:
            result[4, q] = share_KQ[t - near + 1 : t + 1, q].sum()
        before = order_T[first_T[t] : rank_T[t]]
        if len(before):
            result[2, q], result[3, q] = share_KQ[before + 1, q].sum(), share_KQ[before, q].sum()


def spread(
    share_KQ: Floats, query_Q: Positions, received_T: NDArray[np.float64], distance_B: NDArray[np.float64]
) -> None:
    """See `model.lenses.fold_rows.spread`."""
    received_T[: len(share_KQ)] += share_KQ.sum(axis=1, dtype=np.float64)
    for q, t in enumerate(query_Q):
        distance = t - np.arange(t + 1)
        bins = np.where(distance == 0, 0, np.floor(np.log2(np.maximum(distance, 1))).astype(np.int64) + 1)
        distance_B += np.bincount(bins, share_KQ[: t + 1, q], len(distance_B))


def greatest_cells(values_KQ: Floats, query_Q: Positions, row_Q: Positions, cell: int, cells: Floats) -> None:
    """See `model.lenses.fold_rows.greatest_cells`."""
    seen = np.where(np.arange(len(values_KQ))[:, None] <= query_Q, values_KQ, NOTHING)
    most = np.maximum.reduceat(seen, np.arange(0, len(seen), cell), axis=0)
    np.maximum.at(cells[:, : len(most)], row_Q, most.T)
