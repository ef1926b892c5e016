"""Some query rows of a head on their way over all keys they see, in pieces of bounded work, on all threads."""

from collections.abc import Callable, Generator, Iterator
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.lenses.bins import Bins
from model.lenses.reader import Positions
from model.lenses.scorer import KEY_BLOCK, Scorer
from model.lenses.workers import ALL, together
from model.message import Quantity

PIECE_PRODUCTS = 2**30  # multiplications of one piece on one thread: some 30 ms

Edges = NDArray[np.int64]
Steps = list[tuple[int, int, int]]  # key ranges a … b − 1, each with its first bin


class Plan(NamedTuple):
    """Bins of keys for a picture: `view` is the first bin in view; `groups` are products no two threads share."""

    edges: Edges
    view: int
    groups: list[Steps]


def plan(keys: tuple[int, int], cell: int, *, last: int, softmax: bool) -> Plan:
    """Bins of `cell` keys for those in view and, for a softmax, larger ones for all others before `last`."""
    end = min(keys[1], last)
    inside = np.append(np.arange(keys[0], end, cell), end)
    before = np.arange(0, keys[0], KEY_BLOCK) if softmax else inside[:0]
    after = np.append(np.arange(end, last, KEY_BLOCK), last)[1:] if softmax and end < last else inside[:0]
    edges = np.concatenate((before, inside, after)).astype(np.int64)
    return Plan(edges, len(before), _groups(edges))


def _groups(edges: Edges) -> list[Steps]:
    groups: list[Steps] = []
    bin, bins = 0, len(edges) - 1
    while bin < bins:
        start = int(edges[bin])
        # As many whole bins as one product takes; of a larger bin all products, one after the other.
        more = max(int(np.searchsorted(edges, start + KEY_BLOCK, side="right")) - 1, bin + 1)
        end = int(edges[more])
        groups.append([(a, min(a + KEY_BLOCK, end), bin) for a in range(start, end, KEY_BLOCK)])
        bin = more
    return groups


@torch.no_grad()
def walk(
    scorer: Scorer, q_QX: Tensor, query_Q: Positions, way: Plan, *, quantity: Quantity, softmax: bool, adds: bool
) -> Generator[None, None, Bins]:
    """Fold the scores of ascending queries into bins. `softmax` keeps what normalisers need, `adds` sums of scores."""
    bins = Bins(way.edges, query_Q, softmax=softmax, adds=adds, device=q_QX.device, room=scorer.room)
    last = int(query_Q[-1])
    groups = [group for group in way.groups if group[0][0] <= last]
    at, each = 0, max(int(PIECE_PRODUCTS // (q_QX.shape[0] * q_QX.shape[1])), KEY_BLOCK)
    while at < len(groups):
        start, keys = at, 0
        while at < len(groups) and keys < each * ALL:
            keys += min(groups[at][-1][1], last + 1) - groups[at][0][0]
            at += 1
        # Whoever is done takes the next group: nobody waits for more than one.
        left = iter(groups[start:at])
        together([_part(scorer, q_QX, query_Q, left, bins, quantity)] * min(ALL, at - start))
        yield
    return bins


def _part(
    scorer: Scorer, q_QX: Tensor, query_Q: Positions, groups: Iterator[Steps], bins: Bins, quantity: Quantity
) -> Callable[[], None]:
    def score() -> None:
        last = int(query_Q[-1])
        for group in groups:
            for start, end, first_bin in group:
                if start <= last:
                    # No query before this one sees any of these keys; whole vectors of them are left out.
                    first = int(np.searchsorted(query_Q, start)) // 16 * 16
                    scores_KQ = scorer.scores(q_QX, start, min(end, last + 1), quantity, first=first)
                    bins.fold(scores_KQ, start, first_bin)

    return score
