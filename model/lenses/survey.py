"""What every head of a layer looks like: a thumbnail, statistics of some of its rows, and a name where one fits."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from model.lens_messages import HeadLabel, HeadStatistics
from model.lenses.bins import row_kernels
from model.lenses.fold_plain import NOTHING
from model.lenses.grid import sampled
from model.lenses.reader import Positions
from model.lenses.rows import in_turn, rows
from model.lenses.scorer import Scorer
from model.message import Array, Quantity
from model.recording.recording import Recording

NEAR = 8  # tokens that count as local, the query's own among them
NAMED, LOCAL, DIFFUSE = 0.4, 0.5, 0.75  # scores from which a head gets the name
FEW = 4  # queries with earlier occurrences that induction and same token need

Floats = NDArray[np.float32]


class Occurrences(NamedTuple):
    """Where tokens occurred before: those of t are order_T[first_T[t] : rank_T[t]]."""

    order_T: Positions
    rank_T: Positions
    first_T: Positions


class Head(NamedTuple):
    """One head: its thumbnail float32 [rows, columns], and [11, n] numbers of each query looked at."""

    thumbnail: Floats
    numbers: NDArray[np.float64]


def occurrences(recording: Recording) -> Occurrences:
    """Of all tokens of a run."""
    ids = recording.light("ids").astype(np.int64)
    order = np.argsort(ids, kind="stable")
    rank = np.empty(len(ids), np.int64)
    rank[order] = np.arange(len(ids))
    return Occurrences(order, rank, np.searchsorted(ids[order], ids).astype(np.int64))


def look(
    scorer: Scorer, occurred: Occurrences, *, tokens: int, count: int, edge: int, quantity: Quantity
) -> Iterator[Head | None]:
    """One head, from `count` evenly spaced queries of the first `tokens` tokens; None after every piece of work."""
    queries = sampled((0, tokens), count)
    cell = max(-(-tokens // edge), 1) if edge else tokens
    side = -(-tokens // cell) if edge else 0
    cells = np.full((side, side), NOTHING, np.float32)
    numbers = np.empty((11, len(queries)))
    kernels = row_kernels()
    # Rows spread over the whole run see half of the keys on average, and count as half.
    for _ in scorer.prepare("probability", rows=-(-len(queries) // 2), keys=int(queries[-1]) + 1):
        yield None

    def work(query_Q: Positions) -> None:
        some = rows(scorer, query_Q)
        at = np.searchsorted(queries, query_Q[0])
        part = numbers[:, at : at + len(query_Q)]
        above = np.empty((6, len(query_Q))), np.empty((5, len(query_Q)))
        if side and quantity != "probability":
            shown = some.content_KQ if quantity == "content" else some.position_KQ
            pool(shown, query_Q)
        kernels.soften(some.content_KQ, some.position_KQ, query_Q, above[0])
        kernels.find(some.content_KQ, query_Q, *occurred, NEAR, above[1])
        part[:6], part[6:] = above
        if side and quantity == "probability":
            pool(some.content_KQ, query_Q)

    def pool(values_KQ: Floats, query_Q: Positions) -> None:
        row_Q = query_Q // cell
        first, last = int(row_Q[0]), int(row_Q[-1]) + 1
        mine = np.full((last - first, side), NOTHING, np.float32)
        kernels.greatest_cells(values_KQ, query_Q, row_Q - first, cell, mine)
        np.maximum(cells[first:last], mine, out=cells[first:last])

    for _ in in_turn(queries, work):
        yield None
    scorer.rest()
    yield Head(_filled(cells), numbers)


def statistics(heads: Sequence[Head], queries: Positions) -> HeadStatistics:
    """Means over the queries looked at, and the name that fits each head."""
    every = np.stack([_means(head.numbers, queries) for head in heads], axis=1).astype(np.float32)
    named = [_named(column) for column in every.T]
    arrays = [Array.of(row) for row in every]
    names = ("entropy", "diffuseness", "distance", "sink", "previous", "induction", "same", "local", "content")
    return HeadStatistics(
        **dict(zip(names, arrays, strict=True)),
        labels=[label for label, _ in named],
        scores=Array.of(np.array([score for _, score in named], np.float32)),
    )


def _means(numbers: NDArray[np.float64], queries: Positions) -> NDArray[np.float64]:
    """The nine statistics in the order of HeadStatistics."""
    entropy, distance, content, position, _, _, sink, previous, induction, same, local = numbers
    many = queries > 0
    with np.errstate(invalid="ignore", divide="ignore"):
        diffuse = entropy[many] / np.log(queries[many] + 1.0)
        share = content / (content + position)
    repeated = np.isfinite(induction).sum() >= FEW
    columns = (
        *(entropy, diffuse, distance, sink, previous),
        *((induction, same) if repeated else (induction[:0], same[:0])),
        *(local, share[many]),
    )
    return np.array([_mean(column) for column in columns])


def _mean(values: NDArray[np.float64]) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if len(finite) else float("nan")


def _named(means: NDArray[np.float32]) -> tuple[HeadLabel, float]:
    scores: dict[HeadLabel, float] = {
        "previous token": float(means[4]),
        "first token": float(means[3]),
        "induction": float(means[5]),
        "same token": float(means[6]),
    }
    best = max(scores, key=lambda label: -1.0 if np.isnan(scores[label]) else scores[label])
    if scores[best] >= NAMED:
        return best, scores[best]
    if means[7] >= LOCAL:
        return "local", float(means[7])
    if means[1] >= DIFFUSE:
        return "diffuse", float(means[1])
    return "mixed", scores[best]


def _filled(cells: Floats) -> Floats:
    """NaN where masked; a row of cells that no query looked at was in shows the next one's."""
    values = np.where(cells <= NOTHING, np.nan, cells)
    for row in range(len(values) - 2, -1, -1):
        part = values[row, : row + 1]
        np.copyto(part, values[row + 1, : row + 1], where=np.isnan(part))
    return values
