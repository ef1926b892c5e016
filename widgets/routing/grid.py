"""A grid as the canvas draws it: rows of anything, columns of experts, with everything said about them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from widgets.routing.data import RoutingTokens, RoutingTotals
from widgets.routing.geometry import Rows, nice_ceiling, row_capacity
from widgets.routing.marks import levels, margin_loudness, over_uniform, pooled_margins, pooled_weights


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """What a canvas needs; the cells are read lazily, for the drawn rows only.

    `cells(rows)` gives places [rows, E] in the colour map, NaN for nothing; `side(rows)` loudness [rows]
    of a slim column at the right; `numbers` [R, E] are written into cells that are large enough; `has_nan`: a
    gate is not a number.
    """

    rows: int
    capacity: int
    names: Sequence[str]
    expert_device: NDArray[np.int64]
    devices: int
    groups: int
    shared: int
    key: tuple[str, str]
    cells: Callable[[Rows], NDArray[np.float32]]
    side: Callable[[Rows], NDArray[np.float32]] | None = None
    numbers: NDArray[np.float64] | None = None
    has_nan: bool = False


def token_grid(routing: RoutingTokens, names: Sequence[str]) -> Grid:
    """Tokens × experts of one layer; gates are coloured up to a round number, so colours keep still."""
    high = nice_ceiling(float(np.fmax.reduce(routing.expert_weights, axis=None, initial=0.0)))
    return Grid(
        rows=len(routing.expert_ids),
        capacity=row_capacity(len(routing.expert_ids)),
        names=names,
        expert_device=routing.expert_device,
        devices=routing.devices,
        groups=routing.groups,
        shared=routing.shared,
        key=("0", f"{high:g}"),
        cells=lambda rows: levels(pooled_weights(routing, rows), high),
        side=lambda rows: margin_loudness(pooled_margins(routing.margins, rows)),
        has_nan=bool(np.isnan(routing.expert_weights).any()),
    )


def total_grid(totals: RoutingTotals, expert_device: NDArray[np.int64], *, devices: int, groups: int) -> Grid:
    """MoE layers × experts; cells are shares of the layer's assignments as multiples of uniform."""
    shares = over_uniform(totals.counts)
    high = max(2.0, nice_ceiling(float(np.nan_to_num(shares).max()))) if shares.size else 2.0
    chosen = np.where(totals.counts > 0, shares, np.nan).astype(np.float32)
    return Grid(
        rows=len(totals.layers),
        capacity=len(totals.layers),
        names=[f"L{layer}" for layer in totals.layers],
        expert_device=expert_device,
        devices=devices,
        groups=groups,
        shared=totals.shared,
        key=("0", f"{high:g}×"),
        cells=lambda rows: levels(chosen[rows.first : rows.first + rows.count], high),
        numbers=shares,
    )
