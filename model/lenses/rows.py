"""Whole rows of some queries in memory, bounded: as many as a budget holds, however many keys they have."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.lenses.bins import row_kernels
from model.lenses.reader import Positions
from model.lenses.scorer import KEY_BLOCK, QUERY_BLOCK, ROW_BYTES, Scorer
from model.lenses.workers import ALL, scratch, together

FEWEST = 8  # rows that a product is still worth

Result = TypeVar("Result")


class Rows(NamedTuple):
    """Content and position scores [keys, queries] of ascending queries, float32, keys 0 … the last query; scratch."""

    content_KQ: NDArray[np.float32]
    position_KQ: NDArray[np.float32]
    query_Q: Positions


@torch.no_grad()
def rows(scorer: Scorer, query_Q: Positions) -> Rows:
    """The scores of some queries, on the calling thread; good until the thread asks for others."""
    q_QX, keys, cut = scorer.projected(query_Q, "probability"), int(query_Q[-1]) + 1, scorer.content_columns
    parts = []
    for name, columns in (("content", slice(0, cut)), ("position", slice(cut, None))):
        out = scratch(name, (keys, len(query_Q)), dtype=torch.float32, device=torch.device("cpu"))
        parts.append((out, columns))
    for a in range(0, keys, KEY_BLOCK):
        b = min(a + KEY_BLOCK, keys)
        keys_KX = scorer.keys(a, b, "probability")
        for out, columns in parts:
            _product(keys_KX[:, columns], q_QX[:, columns].T, out[a:b])
    content_KQ, position_KQ = (out.numpy() for out, _ in parts)
    return Rows(content_KQ, position_KQ, query_Q)


def batches(queries: Positions) -> list[Positions]:
    """Ascending queries in batches that fit into memory for one thread each: about equal, as many for each thread."""
    each = ROW_BYTES // ALL // (8 * (int(queries[-1]) + 1))
    each = min(max(each, FEWEST), QUERY_BLOCK // 2)
    count = -(-len(queries) // each)
    if count > 1 or len(queries) >= ALL * FEWEST:
        count = -(-count // ALL) * ALL
    return np.array_split(queries, count)


def in_turn(queries: Positions, work: Callable[[Positions], Result]) -> Iterator[Sequence[Result]]:
    """Do something with every batch of queries, a few at a time on all threads, in order; a piece at a time."""
    every = batches(queries)
    for start in range(0, len(every), ALL):
        yield together([lambda batch=batch: work(batch) for batch in every[start : start + ALL]])  # type: ignore[misc]


def probabilities(scorer: Scorer, query_Q: Positions) -> Tensor:
    """Probabilities [keys, queries] of a few queries, 0 where masked."""
    for _ in scorer.prepare("probability", rows=1, keys=int(query_Q[-1]) + 1):
        pass
    some = rows(scorer, query_Q)
    row_kernels().soften(some.content_KQ, some.position_KQ, query_Q, np.empty((6, len(query_Q))))
    return torch.from_numpy(some.content_KQ.copy())


def _product(a: Tensor, b: Tensor, out: Tensor) -> None:
    if a.dtype == out.dtype and a.device == out.device:
        torch.mm(a, b, out=out)
    else:
        out.copy_(torch.mm(a, b))
