"""The axes of the KV memory plot: bytes upwards, linear or logarithmic, and tokens to the right."""

import pyqtgraph as pg

from widgets.figures import bytes_text
from widgets.memory.memory_curves import decade_ticks, nice_ticks, token_ticks
from widgets.memory.memory_series import Scale


class ByteAxis(pg.AxisItem):  # type: ignore[misc]  # pyqtgraph comes without types
    """Bytes, linear or as decimal logarithms."""

    def __init__(self, side: str = "left") -> None:
        super().__init__(side)
        self.scale_kind: Scale = "log"

    def tickValues(self, minVal: float, maxVal: float, _size: float) -> list[tuple[float, list[float]]]:
        low, high = sorted((minVal, maxVal))
        return [(1.0, byte_ticks(low, high, scale=self.scale_kind))]

    def tickStrings(self, values: list[float], _scale: float, _spacing: float) -> list[str]:
        return [bytes_text(round(10.0**value if self.scale_kind == "log" else value)) for value in values]


class TokenAxis(pg.AxisItem):  # type: ignore[misc]  # pyqtgraph comes without types
    """Token counts."""

    def __init__(self) -> None:
        super().__init__("bottom")

    def tickValues(self, minVal: float, maxVal: float, _size: float) -> list[tuple[float, list[float]]]:
        return [(1.0, token_ticks(*sorted((minVal, maxVal))))]

    def tickStrings(self, values: list[float], _scale: float, _spacing: float) -> list[str]:
        return [f"{round(value):,}" for value in values]


def byte_ticks(low: float, high: float, *, scale: Scale) -> list[float]:
    """Ticks of the byte axis in plotted units; a log range of less than two decades is divided evenly."""
    if scale == "linear" or high - low < 1.5:
        return nice_ticks(low, high)
    return decade_ticks(low, high)
