"""The canvas of the KV memory view: measured curve, formula lines, and labels at their ends."""

import math

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QFont, QFontMetricsF, QKeyEvent, QPainterPath, QPen, QResizeEvent
from PySide6.QtWidgets import QGraphicsPathItem, QGraphicsRectItem, QGraphicsSimpleTextItem, QWidget

from widgets.figures import tabular
from widgets.memory.memory_axes import ByteAxis, TokenAxis, byte_ticks
from widgets.memory.memory_curves import spread
from widgets.memory.memory_series import Scale
from widgets.palette import DARK, Palette
from widgets.plot import Plot

LABEL_GAP, LABEL_APART = 10, 17
# The room beside the plot grows in steps, so that one more digit does not move the axis.
ROOM_STEP, LEAST_ROOM = 24, 120
NARROW = 340
STEPS = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1, Qt.Key.Key_PageUp: -16, Qt.Key.Key_PageDown: 16}
ENDS = {Qt.Key.Key_Home: -(10**9), Qt.Key.Key_End: 10**9}

Line = tuple[NDArray[np.float64], NDArray[np.float64]]


class MemoryPlot(Plot):
    """Draws what it is given in plotted units; knows nothing of bytes but its ticks.

    Signals: `stepped(int)`, how many tokens the keyboard moves the selection.
    """

    stepped = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        self._bytes, self._tokens = ByteAxis(), TokenAxis()
        super().__init__(parent, axis_items={"left": self._bytes, "bottom": self._tokens})
        self._palette = DARK
        self._whole = (0.0, 16.0, 0.0, 1.0)
        self._follows = True
        self._room = 0
        self._selected: tuple[float, str] | None = None
        self._end: QPointF | None = None
        self._scene_items()
        for side in ("left", "bottom"):
            # Without tickAlpha a tick of length 0 leaves a dot; the ends of an axis are its best-read labels.
            self.getAxis(side).setStyle(tickAlpha=0, hideOverlappingLabels=False)
        self.getAxis("bottom").setHeight(38)
        self.getAxis("left").setWidth(62)
        box = self.getViewBox()
        box.setDefaultPadding(0.0)
        box.sigRangeChangedManually.connect(self._moved_by_hand)
        box.sigRangeChanged.connect(self.place_labels)
        box.sigResized.connect(self.place_labels)

    def show_palette(self, palette: Palette) -> None:
        super().show_palette(palette)
        self._palette = palette
        muted, accent = palette.colour("muted"), palette.colour("accent")
        self._grid.setPen(pg.mkPen(palette.colour("line"), width=1))
        for line in self._formulas:
            line.setPen(_dashed(muted))
        self._forecast.setPen(_dashed(palette.colour("accent", 0.55)))
        self._measured.setPen(pg.mkPen(accent, width=2))
        self._used.setPen(pg.mkPen(palette.colour("accent", 0.5), width=1))
        self._band.setBrush(palette.colour("accent", 0.22))
        self._dot.setData(brush=pg.mkBrush(accent), pen=pg.mkPen(None))
        self._hairline.setPen(pg.mkPen(accent, width=1))
        for label in self._labels:
            label.setBrush(muted)
        for label in (*self._labels, self._measured_label, self._selected_label, self._axis_name):
            label.setFont(self._label_font())
        self._measured_label.setBrush(palette.colour("text"))
        self._selected_label.setBrush(accent)
        self._axis_name.setBrush(muted)
        for halo in (self._measured_halo, self._selected_halo):
            halo.setBrush(palette.colour("surface", 0.85))

    def show_range(self, *, tokens: float, low: float, high: float, scale: Scale) -> None:
        """Set the whole range, 0 … tokens and low … high; kept out of the way while a person has zoomed."""
        changed = self._whole != (0.0, tokens, low, high) or self._bytes.scale_kind != scale
        self._whole = (0.0, tokens, low, high)
        if self._bytes.scale_kind != scale:
            self._bytes.scale_kind, self._follows = scale, True
        if self._follows and changed:
            self.fit()

    def fit(self) -> None:
        left, right, low, high = self._whole
        self._follows = True
        self.getViewBox().setRange(xRange=(left, right), yRange=(low, high), padding=0)
        self._draw_grid()

    def token_range(self) -> tuple[float, float]:
        """The token counts in view."""
        low, high = self.getViewBox().viewRange()[0]
        return float(low), float(high)

    def show_formulas(self, lines: list[Line], texts: list[str], *, forecast: Line) -> None:
        """Draw the three dashed lines with their end labels, and MLA's own beyond what was measured."""
        for curve, (counts, sizes) in zip(self._formulas, lines, strict=True):
            curve.setData(counts, sizes)
        self._forecast.setData(*forecast)
        self._ends = [(float(counts[-1]), float(sizes[-1])) for counts, sizes in lines]
        for label, text in zip(self._labels, texts, strict=True):
            label.setText(text)
        self._make_room()

    def show_axis_name(self, text: str) -> None:
        """Name what the token axis counts."""
        self._axis_name.setText(text)

    def show_measured(self, measured: Line, used: Line, text: str) -> None:
        """Draw the measured curve, the band down to what is used, and the end dot with its label."""
        self._measured.setData(*measured)
        self._used.setData(*used)
        self._draw_band(measured, used)
        self._end = QPointF(float(measured[0][-1]), float(measured[1][-1])) if len(measured[0]) else None
        self._dot.setData([self._end.x()] if self._end else [], [self._end.y()] if self._end else [])
        self._measured_label.setText(text)

    def show_selected(self, place: float | None, text: str) -> None:
        """Put the hairline at a token count, with its reading at the top; None takes it away."""
        self._selected = None if place is None else (place, text)
        self._hairline.setVisible(place is not None)
        if place is not None:
            self._hairline.setValue(place)
        self._selected_label.setText(text)
        self._place_selected()

    def place_labels(self) -> None:
        """Put every label where its line ends now."""
        box = self.getViewBox()
        frame = box.sceneBoundingRect()
        room = self._labels_shown()
        wanted = [box.mapViewToScene(QPointF(*end)).y() for end in self._ends]
        bounds = (frame.top(), frame.bottom() - LABEL_APART)
        places = spread([y - LABEL_APART / 2 for y in wanted], apart=LABEL_APART, low=bounds[0], high=bounds[1])
        for label, y in zip(self._labels, places, strict=True):
            label.setVisible(room)
            label.setPos(frame.right() + LABEL_GAP, y)
        name = self._axis_name.boundingRect()
        self._axis_name.setPos(frame.center().x() - name.width() / 2, frame.bottom() + 20)
        self._place_measured(frame)
        self._place_selected()
        self._draw_grid()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        step = {**STEPS, **ENDS}.get(Qt.Key(event.key()))
        if step is not None:
            self.stepped.emit(step)
            event.accept()
            return
        super().keyPressEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if hasattr(self, "_labels"):
            self._make_room()

    def _make_room(self) -> None:
        widest = max(label.boundingRect().width() for label in self._labels) + LABEL_GAP + 4
        room = max(LEAST_ROOM, ROOM_STEP * math.ceil(widest / ROOM_STEP)) if self._labels_shown() else 14
        if room != self._room:
            self._room = room
            self.getPlotItem().layout.setContentsMargins(6, 14, room, 4)

    def _labels_shown(self) -> bool:
        return bool(self.width() >= NARROW)

    def _moved_by_hand(self) -> None:
        self._follows = False

    def _scene_items(self) -> None:
        box = self.getViewBox()
        self._grid = pg.PlotCurveItem(connect="pairs")
        self._band = QGraphicsPathItem()
        self._band.setPen(QPen(Qt.PenStyle.NoPen))
        self._formulas = [pg.PlotCurveItem() for _ in range(3)]
        self._forecast, self._used, self._measured = (pg.PlotCurveItem(antialias=True) for _ in range(3))
        self._hairline = pg.InfiniteLine(angle=90)
        self._dot = pg.ScatterPlotItem(size=9)
        self._hairline.hide()
        curves = [self._grid, self._band, *self._formulas, self._forecast, self._used, self._measured]
        for depth, item in enumerate([*curves, self._hairline, self._dot]):
            item.setZValue(depth)
            box.addItem(item, ignoreBounds=True)
        for curve in (*self._formulas, self._forecast):
            curve.opts["antialias"] = True
        self._ends = [(0.0, 0.0)] * 3
        self._measured_halo, self._selected_halo = self._halo(), self._halo()
        self._labels = [self._text() for _ in range(3)]
        self._measured_label, self._selected_label, self._axis_name = self._text(), self._text(), self._text()

    def _text(self) -> QGraphicsSimpleTextItem:
        item = QGraphicsSimpleTextItem()
        item.setFont(self._label_font())
        item.setZValue(100)
        self.scene().addItem(item)
        return item

    def _label_font(self) -> QFont:
        font = tabular(QFont(self.font()))
        font.setPixelSize(12)
        return font

    def _halo(self) -> QGraphicsRectItem:
        item = QGraphicsRectItem()
        item.setPen(QPen(Qt.PenStyle.NoPen))
        item.setZValue(99)
        self.scene().addItem(item)
        return item

    def _draw_grid(self) -> None:
        (left, right), (low, high) = self.getViewBox().viewRange()
        ticks = byte_ticks(low, high, scale=self._bytes.scale_kind)
        self._grid.setData(np.tile([left, right], len(ticks)), np.repeat(ticks, 2))

    def _draw_band(self, upper: Line, lower: Line) -> None:
        path = QPainterPath()
        if len(upper[0]):
            counts = np.concatenate((upper[0], lower[0][::-1]))
            sizes = np.concatenate((upper[1], lower[1][::-1]))
            path = pg.functions.arrayToQPath(counts, sizes, connect="all")
        self._band.setPath(path)

    def _place_measured(self, frame: QRectF) -> None:
        shown = self._end is not None and bool(self._measured_label.text())
        place = self.getViewBox().mapViewToScene(self._end) if self._end is not None else QPointF()
        shown = shown and frame.adjusted(-1, -1, 1, 1).contains(place)
        self._measured_label.setVisible(shown)
        self._measured_halo.setVisible(shown)
        if shown:
            size = self._measured_label.boundingRect()
            left = min(max(place.x() - size.width() - 6, frame.left() + 4), frame.right() - size.width() - 4)
            top = place.y() - size.height() - 10
            top = top if top > frame.top() else place.y() + 10
            self._put(self._measured_label, self._measured_halo, QPointF(left, top))

    def _place_selected(self) -> None:
        box = self.getViewBox()
        frame = box.sceneBoundingRect()
        place = box.mapViewToScene(QPointF(self._selected[0], 0.0)).x() if self._selected else -1.0
        shown = self._selected is not None and frame.left() - 1 <= place <= frame.right() + 1
        self._selected_label.setVisible(shown)
        self._selected_halo.setVisible(shown)
        if shown:
            width = QFontMetricsF(self._selected_label.font()).horizontalAdvance(self._selected_label.text())
            left = place + 6 if place + 6 + width < frame.right() else place - 6 - width
            left = max(left, frame.left())
            self._put(self._selected_label, self._selected_halo, QPointF(left, frame.top() + 2))
            if self._measured_halo.isVisible() and self._measured_halo.rect().intersects(self._selected_halo.rect()):
                low = frame.bottom() - self._selected_label.boundingRect().height() - 4
                self._put(self._selected_label, self._selected_halo, QPointF(left, low))

    @staticmethod
    def _put(label: QGraphicsSimpleTextItem, halo: QGraphicsRectItem, place: QPointF) -> None:
        label.setPos(place)
        halo.setRect(label.boundingRect().translated(place).adjusted(-3, -1, 3, 1))


def _dashed(colour: object) -> QPen:
    pen = pg.mkPen(colour, width=1)
    pen.setDashPattern([5.0, 4.0])
    return pen  # type: ignore[no-any-return]  # pyqtgraph comes without types
