"""What `model.lenses.fold` does, in torch and numpy: for machines without numba, and on CUDA."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

NOTHING = np.float32(-1e30)


def fold(
    scores_KQ: Tensor,
    first_key: int,
    query_Q: Tensor,
    edges: NDArray[np.int64],
    first_bin: int,
    most_BQ: Tensor,
    total_BQ: Tensor,
    *,
    softmax: bool,
    adds: bool,
) -> None:
    """Fold scores into bins [bins, q]: the greatest, and Σ exp(score − greatest) or, without `softmax`, Σ score."""
    end_key = first_key + len(scores_KQ)
    last_bin = int(np.searchsorted(edges, end_key, side="left"))
    bounds = np.clip(edges[first_bin : last_bin + 1], first_key, end_key)
    key_K = torch.arange(first_key, end_key, device=scores_KQ.device)
    late_KQ = key_K[:, None] > query_Q
    scores_KQ = scores_KQ.float().masked_fill(late_KQ, float(NOTHING))
    index_KQ = _index(np.diff(bounds), scores_KQ)
    most, total = most_BQ[first_bin:last_bin], total_BQ[first_bin:last_bin]
    if not softmax:
        _raise(most, scores_KQ, index_KQ)
        if adds:
            _add(total, scores_KQ.masked_fill(late_KQ, 0), index_KQ)
        return
    before = most.clone()
    _raise(most, scores_KQ, index_KQ)
    total.mul_((before - most).exp_())
    greatest_KQ = (
        most.repeat_interleave(len(scores_KQ) // len(most), dim=0) if index_KQ is None else most.gather(0, index_KQ)
    )
    _add(total, (scores_KQ - greatest_KQ).exp_().masked_fill_(late_KQ, 0), index_KQ)


def _index(widths: NDArray[np.int64], scores_KQ: Tensor) -> Tensor | None:
    """Each key's bin; None where all bins are equally wide, for which there are faster operations."""
    if (widths == widths[0]).all():
        return None
    bin_K = torch.from_numpy(np.repeat(np.arange(len(widths)), widths)).to(scores_KQ.device)
    return bin_K[:, None].expand_as(scores_KQ)


def _raise(most_BQ: Tensor, values_KQ: Tensor, index_KQ: Tensor | None) -> None:
    if index_KQ is None:
        torch.maximum(most_BQ, values_KQ.unflatten(0, (len(most_BQ), -1)).amax(dim=1), out=most_BQ)
    else:
        most_BQ.scatter_reduce_(0, index_KQ, values_KQ, "amax")


def _add(total_BQ: Tensor, values_KQ: Tensor, index_KQ: Tensor | None) -> None:
    if index_KQ is None:
        total_BQ.add_(values_KQ.unflatten(0, (len(total_BQ), -1)).sum(dim=1))
    else:
        total_BQ.scatter_add_(0, index_KQ, values_KQ)


def normalisers(
    most_BQ: NDArray[np.float32], total_BQ: NDArray[np.float32], bins: int, result_Q: NDArray[np.float64]
) -> None:
    """ln Σ exp(score) of every query, over the first `bins` bins."""
    most, total = most_BQ[:bins].astype(np.float64), total_BQ[:bins]
    top = most.max(axis=0)
    result_Q[:] = top + np.log((total * np.exp(most - top)).sum(axis=0))


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
    values, _ = _seen(most_BQ, first_bin, edges, query_Q, cells.shape[1])
    values = np.where(values > NOTHING, values - less_Q, NOTHING).astype(np.float32)
    np.maximum.at(cells, row_Q, values.T)


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
    most, count = _seen(most_BQ, first_bin, edges, query_Q, cells.shape[1])
    sums = total_BQ[first_bin : first_bin + cells.shape[1]].astype(np.float64)
    if softmax:
        sums *= np.exp(np.minimum(most - less_Q, 0))
    np.add.at(cells, row_Q, np.where(count > 0, sums, 0).T)
    np.add.at(pairs, row_Q, count.T)


def fill_from_below(values: NDArray[np.float32], columns_seen: NDArray[np.int64]) -> None:
    """Give cells that are NaN, of the first columns_seen[row] of each row, the value of the row below."""
    for row in range(len(values) - 2, -1, -1):
        part = values[row, : columns_seen[row]]
        np.copyto(part, values[row + 1, : len(part)], where=np.isnan(part))


def _seen(
    most_BQ: NDArray[np.float32], first_bin: int, edges: NDArray[np.int64], query_Q: NDArray[np.int64], columns: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The bins' greatest scores, and how many of their keys each query sees, both [columns, q]."""
    bins = slice(first_bin, first_bin + columns)
    starts, ends = edges[:-1][bins, None], edges[1:][bins, None]
    return most_BQ[bins].astype(np.float64), np.maximum(np.minimum(ends, query_Q + 1) - starts, 0)
