"""How often two experts fire for the same token, compared with what chance alone would give."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ALL_EDGES_UP_TO = 24
STRONGEST = 4
# A pair counts as more than chance from two standard deviations (Poisson) on.
LEAST_DEVIATIONS = 2.0


@dataclass(frozen=True, slots=True)
class Neighbour:
    """An expert that fires with the selected one: tokens in common, and that number over chance."""

    expert: int
    tokens: int
    lift: float


def expected_by_chance(counts: NDArray[np.int64], together: NDArray[np.int64]) -> NDArray[np.float64]:
    """Expected pairs [E, E] if experts met at random, each as often as it fires (configuration model, no self pairs).

    The expected pairs add up to the observed ones, so a lift of 1 is the average; the diagonal is 0.
    """
    weight = np.outer(counts, counts).astype(np.float64)
    np.fill_diagonal(weight, 0.0)
    observed = float(together.sum() - np.trace(together))
    total = float(weight.sum())
    return weight * (observed / total) if total > 0 else weight


def lifts(counts: NDArray[np.int64], together: NDArray[np.int64]) -> NDArray[np.float64]:
    """Observed over expected [E, E]; 0 on the diagonal and where nothing is expected."""
    expected = expected_by_chance(counts, together)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(expected > 0, together / expected, 0.0)


def kept_edges(counts: NDArray[np.int64], together: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Pairs (lower, higher) that fire together clearly more often than chance.

    With more than 24 experts only pairs among the four strongest of either expert are kept.
    """
    expected = expected_by_chance(counts, together)
    excess = (together - expected) / np.sqrt(np.maximum(expected, 1.0))
    np.fill_diagonal(excess, -np.inf)
    keep = excess >= LEAST_DEVIATIONS
    if len(counts) > ALL_EDGES_UP_TO:
        strongest = np.zeros_like(keep)
        best = np.argsort(-excess, axis=1, kind="stable")[:, :STRONGEST]
        np.put_along_axis(strongest, best, True, axis=1)
        keep &= strongest | strongest.T
    return [(int(one), int(other)) for one, other in np.argwhere(np.triu(keep | keep.T, 1))]


def neighbours(counts: NDArray[np.int64], together: NDArray[np.int64], expert: int, *, most: int) -> list[Neighbour]:
    """The experts that fire with this one most beyond chance, strongest first; none at or below chance."""
    expected = expected_by_chance(counts, together)[expert]
    row = together[expert].astype(np.float64)
    excess = (row - expected) / np.sqrt(np.maximum(expected, 1.0))
    excess[expert] = -np.inf
    order = np.argsort(-excess, kind="stable")[:most]
    return [
        Neighbour(int(other), int(row[other]), float(row[other] / expected[other]))
        for other in order
        if excess[other] > 0 and expected[other] > 0
    ]
