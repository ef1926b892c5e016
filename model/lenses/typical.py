"""Which tokens are typical of an expert: log-odds with a prior, and lift. Pure functions on counts.

The measure is the weighted log-odds ratio with an informative Dirichlet prior of Monroe, Colaresi and
Quinn, "Fightin' Words" (Political Analysis 16, 2008, equations 15, 16, 20 and 22): for a token w chosen y
times among n, and z times among the m tokens that went elsewhere, with the prior α_w = α₀ · share of w,

    δ = log[(y + α_w) / (n + α₀ − y − α_w)] − log[(z + α_w) / (m + α₀ − z − α_w)]
    score = δ / sqrt(1 / (y + α_w) + 1 / (z + α_w))

Rare tokens are held back by the prior and by their variance, so nothing has to be cut off by hand.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

PRIOR = 500.0  # α₀, in tokens
TINY = 1e-300
CLEAR = 1.96  # standard deviations below which nothing is called typical


class Typical(NamedTuple):
    """Tokens by their column, best first: columns int [n], lift and score float64 [n]."""

    columns: NDArray[np.int64]
    lift: NDArray[np.float64]
    score: NDArray[np.float64]


def log_odds(chosen_W: NDArray[np.int64], total_W: NDArray[np.int64]) -> NDArray[np.float64]:
    """The score of every token, float64 [W]: `chosen_W` of its `total_W` occurrences went to the expert."""
    chosen, total = float(chosen_W.sum()), float(total_W.sum())
    prior_W = PRIOR * total_W / max(total, 1.0)
    inside_W, outside_W = chosen_W + prior_W, total_W - chosen_W + prior_W
    odds_inside_W = inside_W / np.maximum(chosen + PRIOR - inside_W, TINY)
    odds_outside_W = outside_W / np.maximum(total - chosen + PRIOR - outside_W, TINY)
    spread_W = np.sqrt(1 / np.maximum(inside_W, TINY) + 1 / np.maximum(outside_W, TINY))
    score_W = np.log(np.maximum(odds_inside_W, TINY) / np.maximum(odds_outside_W, TINY)) / spread_W
    # A token that never occurs, and one that is all there is, have nothing to be compared with.
    return np.where((total_W > 0) & (total_W < total), score_W, 0.0)


def lift(chosen_W: NDArray[np.int64], total_W: NDArray[np.int64]) -> NDArray[np.float64]:
    """How much more often a token goes to the expert than tokens do in general, float64 [W]; 1: just as often."""
    rate = float(chosen_W.sum()) / max(float(total_W.sum()), 1.0)
    return chosen_W / np.maximum(total_W, 1) / max(rate, 1e-300)


def typical(chosen_W: NDArray[np.int64], total_W: NDArray[np.int64], *, most: int) -> Typical:
    """At most so many tokens that are clearly the expert's own, best first."""
    score_W, lift_W = log_odds(chosen_W, total_W), lift(chosen_W, total_W)
    best = np.argsort(-score_W, kind="stable")[:most]
    best = best[(score_W[best] >= CLEAR) & (lift_W[best] > 1.0)]
    return Typical(best, lift_W[best], score_W[best])
