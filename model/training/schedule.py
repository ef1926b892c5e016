"""The learning rate over a run whose end may move: warm-up, constant, linear decay to zero."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Schedule:
    """All lengths in tokens. The decay is the last `decay` tokens before `total`."""

    warmup: int
    decay: int
    total: int

    def rate(self, tokens: int) -> float:
        """Share of the full rate after so many tokens."""
        return max(0.0, min(1.0, (tokens + 1) / (self.warmup + 1), (self.total - tokens) / max(self.decay, 1)))

    def ends(self, tokens: int) -> bool:
        """Whether the last quarter of the decay has begun. Every second step of it trains long sequences."""
        return tokens >= self.total - self.decay // 4


def total_tokens(file: Path, otherwise: int) -> int:
    """The run's length as `file` says it now: the end can be moved while the run goes on."""
    try:
        return int(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return otherwise
