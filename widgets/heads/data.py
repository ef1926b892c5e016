"""What is known about every head: its scores, its label, and the small map of it. Frozen, plain arrays."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QCoreApplication

Scope = Literal["layer", "all"]
Place = tuple[int, int]  # layer, head

CONTEXT = "Heads"
ORDERS = ("model", "entropy", "distance", "sink", "previous", "induction", "content")


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class HeadScores:
    """Scores of each head by name; `labels` are words with their scores; `basis` says over which rows.

    `entropy` in nats, `distance` in tokens, `content` as a share of score variance, all others from 0 to 1.
    """

    values: Mapping[Place, Mapping[str, float]]
    labels: Mapping[Place, tuple[str, float]]
    basis: str = ""

    def of(self, name: str, place: Place) -> float:
        """One score; NaN when there is none."""
        return self.values.get(place, {}).get(name, math.nan)


def score_name(name: str) -> str:
    """A score in words, for menus and labels."""
    words = {
        "model": QCoreApplication.translate(CONTEXT, "layer and head"),
        "entropy": QCoreApplication.translate(CONTEXT, "entropy"),
        "distance": QCoreApplication.translate(CONTEXT, "mean distance"),
        "sink": QCoreApplication.translate(CONTEXT, "sink"),
        "previous": QCoreApplication.translate(CONTEXT, "previous token"),
        "induction": QCoreApplication.translate(CONTEXT, "induction"),
        "content": QCoreApplication.translate(CONTEXT, "content share"),
        "same": QCoreApplication.translate(CONTEXT, "same token"),
        "local": QCoreApplication.translate(CONTEXT, "local"),
        "diffuseness": QCoreApplication.translate(CONTEXT, "diffuse"),
    }
    return words.get(name, name)


def how_computed(name: str) -> str:
    """How a score is computed, in one sentence."""
    words = {
        "entropy": QCoreApplication.translate(CONTEXT, "mean over queries of −Σ p ln p, in nats"),
        "diffuseness": QCoreApplication.translate(CONTEXT, "mean of entropy / ln(keys seen)"),
        "distance": QCoreApplication.translate(CONTEXT, "mean of Σ p · (query − key), in tokens"),
        "sink": QCoreApplication.translate(CONTEXT, "mean probability on the first token"),
        "previous": QCoreApplication.translate(CONTEXT, "mean probability on the token before"),
        "induction": QCoreApplication.translate(
            CONTEXT, "mean probability on what followed earlier occurrences of the query's token"
        ),
        "same": QCoreApplication.translate(CONTEXT, "mean probability on earlier occurrences of the query's token"),
        "local": QCoreApplication.translate(
            CONTEXT, "mean probability on the last 8 tokens, the query's own among them"
        ),
        "content": QCoreApplication.translate(CONTEXT, "var(content) / (var(content) + var(position)) of the scores"),
    }
    return words.get(name, "")


def label_name(label: str) -> str:
    """A head's label, as the engine spells it, in words."""
    words = {
        "previous token": QCoreApplication.translate(CONTEXT, "previous token"),
        "first token": QCoreApplication.translate(CONTEXT, "first token"),
        "induction": QCoreApplication.translate(CONTEXT, "induction"),
        "same token": QCoreApplication.translate(CONTEXT, "same token"),
        "local": QCoreApplication.translate(CONTEXT, "local"),
        "diffuse": QCoreApplication.translate(CONTEXT, "diffuse"),
        "mixed": QCoreApplication.translate(CONTEXT, "mixed"),
    }
    return words.get(label, label)


def score_text(name: str, value: float) -> str:
    """A score with the fewest digits that still tell."""
    if value != value:
        return "–"
    if name == "distance":
        return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"
    return f"{value:.2f}"


def ordered(places: list[Place], scores: HeadScores | None, order: str, *, ascending: bool = False) -> list[Place]:
    """Places by a score, largest first unless `ascending`; what is not measured yet comes last, in its own order."""
    if order == "model" or scores is None:
        return places
    known = [place for place in places if not math.isnan(scores.of(order, place))]
    unknown = [place for place in places if math.isnan(scores.of(order, place))]
    return sorted(known, key=lambda place: scores.of(order, place), reverse=not ascending) + unknown


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class PairScores:
    """How every head connects a query with an earlier key: float32 [layers, heads] each, rank from 1."""

    query: int
    key: int
    probabilities: NDArray[np.float32]
    content_scores: NDArray[np.float32]
    position_scores: NDArray[np.float32]
    ranks: NDArray[np.int32]

    def ranked(self) -> list[Place]:
        """All heads, those that give the key the largest probability first; NaN last."""
        heads = self.probabilities.shape[1]
        known = np.nan_to_num(self.probabilities, nan=-1.0)
        order = np.argsort(-known, axis=None, kind="stable")
        return [(int(index) // heads, int(index) % heads) for index in order]
