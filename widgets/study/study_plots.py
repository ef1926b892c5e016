"""The study's three plots: loss against KV bytes, four caches as they grow, and how often each entry was read."""

from statistics import mean

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QCoreApplication, Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QWidget

from model.study_report import StudyReport
from widgets.figures import bytes_text
from widgets.memory.memory_axes import ByteAxis, TokenAxis
from widgets.memory.memory_curves import nice_ticks, spread
from widgets.palette import DARK, Palette
from widgets.plot import TICK_SIZE, Plot
from widgets.study.data import KINDS, Growth
from widgets.study.study_table import name_of

LABEL_HEIGHT = 15  # pixels
BYTE_TICKS = tuple(2**power for power in range(6, 14))
CLOSE, RING_GAP = 0.15, 0.12  # decades between two sizes; of a label, beside its ring
LABEL_ROOM = 0.4  # of the plot's width, at its right end, for the names of lines


class LossPlot(Plot):
    """A dot for every seed and a ring at their mean: held-out bits per byte over KV bytes per token (logarithmic)."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._palette = DARK
        self._report: StudyReport | None = None
        _plain(self)

    def show_palette(self, palette: Palette) -> None:
        super().show_palette(palette)
        self._palette = palette
        if self._report is not None:
            self.show_report(self._report)

    def show_report(self, report: StudyReport) -> None:
        """Draw all four."""
        self._report = report
        self.clear()
        self.getAxis("bottom").setTicks([[(np.log10(size), bytes_text(size)) for size in BYTE_TICKS]])
        for model in report.models:
            colour = self._palette.category(KINDS.index(model.kind))
            across, up = np.log10(model.kv_bytes_formula), model.bits_per_byte
            self.addItem(_dots([across] * len(up), up, colour, 5))
            self.addItem(_dots([across], [mean(up)], colour, 12, hollow=True))
            left = any(across < np.log10(other.kv_bytes_formula) < across + CLOSE for other in report.models)
            anchor = (1.0 + RING_GAP, 0.5) if left else (-RING_GAP, 0.5)
            self.addItem(
                _label(f" {name_of(model.kind)} ", across, mean(up), self._palette.colour("text"), anchor=anchor)
            )
        self.fit()

    def fit(self) -> None:
        if self._report is None:
            return
        values = [value for model in self._report.models for value in model.bits_per_byte]
        sizes = [np.log10(model.kv_bytes_formula) for model in self._report.models]
        room = max((max(values) - min(values)) * 0.15, 1e-3)
        low, high = min(values) - room, max(values) + room
        self.getAxis("left").setTicks([[(tick, f"{tick:.3f}") for tick in nice_ticks(low, high)]])
        self.getViewBox().setRange(xRange=(min(sizes) - 0.2, max(sizes) + 0.25), yRange=(low, high), padding=0)


class GrowthPlot(Plot):
    """Measured bytes of the four caches while they grow, each up to the reserve that it holds; log or linear."""

    def __init__(self, parent: QWidget | None = None) -> None:
        self._bytes = ByteAxis()
        self._bytes.scale_kind = "linear"
        self._curves: dict[str, Growth] = {}
        self._labels: list[pg.TextItem] = []
        super().__init__(parent, axis_items={"left": self._bytes, "bottom": TokenAxis()})
        self._palette = DARK
        _plain(self)
        self.getAxis("left").setWidth(62)
        self.getViewBox().sigResized.connect(lambda: self._name_lines())

    def show_palette(self, palette: Palette) -> None:
        super().show_palette(palette)
        self._palette = palette
        self.show_curves(self._curves)

    def show_curves(self, curves: dict[str, Growth]) -> None:
        """Draw what has been measured: bytes held solid, bytes used thin."""
        self._curves = curves
        self.clear()
        self._labels.clear()
        hint = tr("Run the prompt: the bytes that each model's cache holds are drawn here.")
        _show_waiting(self, "" if any(growth.held for growth in curves.values()) else hint, self._palette)
        for place, kind in enumerate(KINDS):
            growth = curves.get(kind)
            if growth is None or not growth.held:
                continue
            colour = self._palette.category(place)
            self.addItem(pg.PlotDataItem(growth.tokens, growth.measured_bytes, pen=pg.mkPen(colour, width=2)))
            faded = QColor(colour)
            faded.setAlphaF(0.55)
            self.addItem(pg.PlotDataItem(growth.tokens, growth.used_bytes, pen=pg.mkPen(faded, width=1)))
        self.fit()
        self._name_lines()

    def _name_lines(self) -> None:
        """Every curve's name and bytes at its end, apart from each other."""
        for label in self._labels:
            self.removeItem(label)
        self._labels.clear()
        ends = [(kind, growth) for kind, growth in self._curves.items() if growth.held]
        (_, (low, high)), height = self.getViewBox().viewRange(), self.getViewBox().height()
        if not ends or height <= 0:
            return
        apart = LABEL_HEIGHT * (high - low) / height
        wanted = [float(growth.measured_bytes[-1]) for _, growth in ends]
        for (kind, growth), size, place in zip(
            ends, wanted, spread(wanted, apart=apart, low=low, high=high), strict=True
        ):
            text = f"{name_of(kind)}  {bytes_text(int(size))}"
            label = _label(text, growth.held, place, self._palette.colour("text"), anchor=(-0.03, 0.5))
            self._labels.append(label)
            self.addItem(label)

    def fit(self) -> None:
        shown = [growth for growth in self._curves.values() if growth.held]
        if shown:
            most = max(int(growth.measured_bytes.max()) for growth in shown)
            first = min(int(growth.tokens[0]) for growth in shown)
            last = max(growth.held for growth in shown)
            span = max(last - first, 1)
            box = self.getViewBox()
            box.setRange(xRange=(first, last + span * LABEL_ROOM), yRange=(0, most * 1.08), padding=0)


class ReadsPlot(Plot):
    """How often each token's entry was read again by later tokens, and that its own query was used once."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent, axis_items={"bottom": TokenAxis()})
        self._palette = DARK
        self._growth: Growth | None = None
        _plain(self)

    def show_palette(self, palette: Palette) -> None:
        super().show_palette(palette)
        self._palette = palette
        self.show_growth(self._growth)

    def show_growth(self, growth: Growth | None) -> None:
        """Draw one model's counts, of its first layer; all layers read alike."""
        self._growth = growth
        self.clear()
        empty = growth is None or not growth.held
        hint = tr("Run the prompt: how often every token is read again is counted here.")
        _show_waiting(self, hint if empty else "", self._palette)
        if growth is None or empty:
            return
        tokens = np.arange(growth.held)
        accent, warn = self._palette.colour("accent"), self._palette.colour("warn")
        bars = pg.BarGraphItem(x=tokens, height=growth.read_again, width=1.0, pen=pg.mkPen(None), brush=accent)
        self.addItem(bars)
        self.addItem(pg.PlotDataItem(tokens, growth.queries[0], pen=pg.mkPen(warn, width=2)))
        text = self._palette.colour("text")
        most = int(growth.read_again.max())
        self.addItem(_label(tr("K and V: read again by every later token"), growth.held, most, text, anchor=(1, 0)))
        self.addItem(_label(tr("Q: used once"), 0, 1, self._palette.colour("on_accent"), anchor=(-0.05, 1)))
        self.fit()

    def fit(self) -> None:
        if self._growth is not None and self._growth.held:
            most = max(int(self._growth.read_again.max()), 2)
            self.getViewBox().setRange(xRange=(-0.5, self._growth.held), yRange=(0, most * 1.1), padding=0)


def _show_waiting(plot: Plot, hint: str, palette: Palette) -> None:
    """A plot without data has no axes to be read, but a sentence that says what will come."""
    for side in ("left", "bottom"):
        plot.getAxis(side).setStyle(showValues=not hint)
    if hint:
        plot.getViewBox().setRange(xRange=(0, 1), yRange=(0, 1), padding=0)
        plot.addItem(_label(hint, 0.5, 0.5, palette.colour("muted"), anchor=(0.5, 0.5)))


def _plain(plot: Plot) -> None:
    for side in ("left", "bottom"):
        plot.getAxis(side).setStyle(tickAlpha=0, hideOverlappingLabels=False)
    plot.getAxis("left").setWidth(54)
    plot.getAxis("bottom").setHeight(24)
    plot.getViewBox().setDefaultPadding(0.0)


def _dots(x: list[float], y: list[float], colour: QColor, size: int, *, hollow: bool = False) -> pg.ScatterPlotItem:
    brush = pg.mkBrush(None) if hollow else pg.mkBrush(colour)
    return pg.ScatterPlotItem(x, y, size=size, pen=pg.mkPen(colour, width=2) if hollow else pg.mkPen(None), brush=brush)


def _label(text: str, x: float, y: float, colour: QColor, *, anchor: tuple[float, float]) -> pg.TextItem:
    item = pg.TextItem(text, color=colour, anchor=anchor)
    font = item.textItem.font()
    font.setPointSizeF(TICK_SIZE)
    item.setFont(font)
    item.setPos(x, y)
    item.textItem.setAcceptedMouseButtons(Qt.MouseButton.NoButton)
    return item


def tr(text: str) -> str:
    """Labels in the window's language."""
    return QCoreApplication.translate("study", text)
