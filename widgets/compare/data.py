"""Heads that a person pinned to compare them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PinnedHead:
    """One head of one run, and how many tokens that run has."""

    run: str
    title: str
    layer: int
    head: int
    tokens: int

    def name(self, *, with_run: bool) -> str:
        """`4·0`, with the run's title where runs differ."""
        return f"{self.layer}·{self.head} · {self.title}" if with_run else f"{self.layer}·{self.head}"


MOST_PINS = 4
