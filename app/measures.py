"""What the token strip can be coloured by: one number per token, from light columns alone."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QCoreApplication

from app.runs import Run
from app.state import State
from model.placement import Placement
from widgets.timeline_cells import quantiles

translate = QCoreApplication.translate

SURPRISE_LIMIT = 12.0  # bits; rarer tokens look alike


@dataclass(frozen=True, slots=True, eq=False)
class Measure:
    """Values float32 [T] (NaN: unknown) between `low` and `high`, or category numbers."""

    key: str
    values: NDArray[np.float32]
    low: float
    high: float
    kind: Literal["sequential", "category"]


def measure_names(moe: bool) -> list[tuple[str, str]]:
    """Keys and labels of the measures a model offers."""
    names = [("surprise", translate("measures", "surprise")), ("time", translate("measures", "time"))]
    if moe:
        names += [
            ("margin", translate("measures", "routing margin")),
            ("expert", translate("measures", "first expert")),
            ("device", translate("measures", "device")),
        ]
    return names


def measure(state: State, run: Run, placement: Placement | None) -> Measure:
    """The chosen measure of every token of a run, at the selected layer where it has one."""
    key = state.choices.measure
    layers = run.info.config.moe_layers
    row = layers.index(state.selection.layer) if state.selection.layer in layers else None
    if key == "time":
        values: NDArray[np.float32] = np.multiply(seconds_per_token(run), 1000, dtype=np.float32)
        return Measure(key, values, 0.0, float(np.max(values, initial=1e-3)), "sequential")
    if key in ("margin", "expert", "device") and row is not None:
        return _routing_measure(key, run, row, placement)
    surprise: NDArray[np.float32] = -run.column("log_probability").astype(np.float32) / np.float32(np.log(2))
    return Measure("surprise", surprise, 0.0, SURPRISE_LIMIT, "sequential")


def seconds_per_token(run: Run) -> NDArray[np.float32]:
    """Seconds each fed token took, [T]; a prefill chunk's time is shared evenly by its tokens."""
    ends = run.column("tokens").astype(np.int64)
    counts = np.diff(ends, prepend=0)
    share = run.column("seconds").astype(np.float32) / np.maximum(counts, 1)
    return np.repeat(share, counts)[: run.tokens].astype(np.float32)


def _routing_measure(key: str, run: Run, row: int, placement: Placement | None) -> Measure:
    if key == "margin":
        margins = run.column("margins")[:, row].astype(np.float32)
        finite = margins[np.isfinite(margins)]
        high = quantiles(finite, 0.95)[0] if len(finite) else 1.0
        # A narrow choice is the loud one.
        narrow: NDArray[np.float32] = np.subtract(high, np.minimum(margins, high), dtype=np.float32)
        return Measure(key, narrow, 0.0, high, "sequential")
    first = run.column("expert_ids")[:, row, 0].astype(np.int64)
    if key == "device" and placement is not None:
        device = placement.slot_to_device[row]
        held = np.where(first < len(device), device[np.minimum(first, len(device) - 1)], np.nan)  # zero experts: none
        return Measure(key, held.astype(np.float32), 0.0, float(placement.devices), "category")
    experts = run.info.config.router.experts if run.info.config.router else 1
    return Measure(key, first.astype(np.float32), 0.0, float(experts), "category")
