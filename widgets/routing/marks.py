"""From routing arrays to the numbers that are painted: pooled cells, loudness of margins, shares over uniform."""

import numpy as np
from numpy.typing import NDArray

from widgets.routing.data import RouterScores, RoutingTokens
from widgets.routing.geometry import Rows

# A margin of 0.1 is quiet, one of 0.0001 as loud as can be; three decades lie between.
QUIET_MARGIN = 0.1
LOUD_DECADES = 3.0
# Even the smallest gate that was chosen must be told from an expert that was not.
FAINTEST_CHOICE = 0.14


def pooled_weights(routing: RoutingTokens, rows: Rows) -> NDArray[np.float32]:
    """Largest gate of each expert within each drawn row [rows, E]; NaN where no token chose the expert.

    A gate that is not a number counts as infinite, so that it is seen however many rows are pooled.
    """
    ids = routing.expert_ids[rows.first : rows.first + rows.count * rows.each]
    weights = routing.expert_weights[rows.first : rows.first + rows.count * rows.each]
    weights = np.where(np.isnan(weights), np.float32(np.inf), weights)
    cells = np.full((rows.count, routing.experts), -1.0, dtype=np.float32)
    row = np.arange(len(ids)) // rows.each
    if rows.each == 1:
        cells[row[:, None], ids] = weights
    else:
        np.maximum.at(cells, (np.repeat(row, ids.shape[1]), ids.ravel()), weights.ravel())
    return np.where(cells < 0, np.float32(np.nan), cells)


def pooled_margins(margins: NDArray[np.float32], rows: Rows) -> NDArray[np.float32]:
    """Smallest margin within each drawn row [rows]; NaN where none is known."""
    part = margins[rows.first : rows.first + rows.count * rows.each]
    padded = np.full(rows.count * rows.each, np.inf, dtype=np.float32)
    padded[: len(part)] = np.where(np.isnan(part), np.inf, part)
    least = padded.reshape(rows.count, rows.each).min(axis=1)
    return np.where(np.isinf(least), np.float32(np.nan), least)


def margin_loudness(margins: NDArray[np.float32]) -> NDArray[np.float32]:
    """How loud a margin is drawn, 0 to 1: close choices are loud. Logarithmic; unknown margins are silent."""
    with np.errstate(divide="ignore"):
        decades = np.log10(QUIET_MARGIN) - np.log10(np.maximum(margins, 0.0))
    loudness: NDArray[np.float32] = np.nan_to_num(np.clip(decades / LOUD_DECADES, 0.0, 1.0), nan=0.0)
    return loudness.astype(np.float32)


def levels(weights: NDArray[np.float32], high: float) -> NDArray[np.float32]:
    """Places 0 to 1 in the colour map for gates up to `high`; NaN stays NaN, and infinity infinite."""
    place: NDArray[np.float32] = FAINTEST_CHOICE + (1.0 - FAINTEST_CHOICE) * np.clip(weights / high, 0.0, 1.0)
    place[np.isposinf(weights)] = np.inf
    return place.astype(np.float32)


def over_uniform(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Each expert's share of its layer's assignments [M, E], as a multiple of the uniform share 1/E; NaN for none."""
    total = counts.sum(axis=1, keepdims=True).astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(total > 0, counts * counts.shape[1] / total, np.nan)


def rank_of(routing: RoutingTokens, token: int, expert: int) -> int | None:
    """The place, from 1, of an expert among those a token chose, largest gate first; None when not chosen."""
    ids = routing.expert_ids[token]
    if expert not in ids:
        return None
    order = np.argsort(-routing.expert_weights[token], kind="stable")
    return int(np.flatnonzero(ids[order] == expert)[0]) + 1


def weight_of(routing: RoutingTokens, token: int, expert: int) -> float:
    """The gate of an expert that a token chose."""
    return float(routing.expert_weights[token][routing.expert_ids[token] == expert][0])


def score_of(scores: RouterScores | None, layer: int, token: int, expert: int) -> float | None:
    """The router's score of an expert for a token, where it is known."""
    if scores is None or scores.layer != layer or not scores.tokens[0] <= token < scores.tokens[1]:
        return None
    return float(scores.scores[token - scores.tokens[0], expert])
