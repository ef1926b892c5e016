"""What the routing view draws: one layer token by token, or all MoE layers in total."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class RoutingTokens:
    """The experts that every token of one layer chose.

    `expert_ids` int [T, A] and `expert_weights` float32 [T, A] in the router's own order, best first;
    `margins` float32 [T]: score of the last expert chosen less that of the first left out;
    `expert_device` int [E]: the device that holds each expert, −1 for zero experts, which have no weights.
    """

    layer: int
    moe: bool
    experts: int
    chosen: int
    groups: int
    groups_per_token: int
    shared: int
    expert_ids: NDArray[np.int64]
    expert_weights: NDArray[np.float32]
    margins: NDArray[np.float32]
    expert_device: NDArray[np.int64]
    devices: int


@dataclass(frozen=True, slots=True, eq=False)
class RoutingTotals:
    """Tokens per expert `counts` int [M, E] and their summed gates `weights` float [M, E]; `layers` names the rows."""

    layers: tuple[int, ...]
    counts: NDArray[np.int64]
    weights: NDArray[np.float64]
    shared: int


@dataclass(frozen=True, slots=True, eq=False)
class RouterScores:
    """Router scores [n, E] of one layer for tokens `tokens[0]` up to but not with `tokens[1]`."""

    layer: int
    tokens: tuple[int, int]
    scores: NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpertReads:
    """What routed experts cost when not all are in memory: at hand, brought in, and bytes read; last step and run."""

    last_hits: int
    last_misses: int
    last_bytes: int
    last_tokens: int
    hits: int
    misses: int
    bytes: int
    tokens: int
