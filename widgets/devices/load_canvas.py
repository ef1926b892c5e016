"""The load of simulated devices on the screen: bars per layer and device, and who sends tokens to whom."""

from dataclasses import replace

from PySide6.QtCore import QEvent, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QFont, QFontMetricsF, QKeyEvent, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

from widgets.devices.data import DeviceLoad, TokenPath
from widgets.devices.load_layout import LoadLayout, LoadPlace, lay_out_load
from widgets.devices.load_painting import LoadMarks, LoadPainting, LoadWords
from widgets.palette import DARK, Palette

TEXT_PIXELS = 11
LONGEST_MEAN = "88.8k"


class LoadCanvas(QWidget):
    """Bars at the left, traffic at the right; left and right keys choose a device, up and down a layer.

    Signals: `device_chosen(int)`, `row_chosen(int)`, `place_hovered(object)`: a LoadPlace, or None.
    """

    device_chosen = Signal(int)
    row_chosen = Signal(int)
    place_hovered = Signal(object)

    def __init__(self, words: LoadWords, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._words = words
        self._palette = DARK
        self._load: DeviceLoad | None = None
        self._marks = LoadMarks()

    def show_load(self, load: DeviceLoad | None) -> None:
        """Draw another load."""
        self._load = load
        self.update()

    def show_chosen(self, row: int | None, device: int | None) -> None:
        """Draw a layer's row in full ink and frame a device."""
        self._mark(replace(self._marks, row=row, device=device))

    def show_path(self, path: TokenPath | None) -> None:
        """Frame the flows that the chosen token is part of."""
        self._mark(replace(self._marks, path=path))

    def show_palette(self, palette: Palette) -> None:
        """Take other colours."""
        self._palette = palette
        self.update()

    def bar_rectangle(self, row: int, device: int) -> QRectF:
        """Where a bar lies, in pixels of this widget."""
        return self._layout().bar_rectangle(row, device)

    def matrix_rectangle(self) -> QRectF:
        """The square of the traffic, in pixels of this widget."""
        return self._layout().matrix

    def paintEvent(self, _event: QPaintEvent) -> None:
        if self._load is None:
            return
        painter = QPainter(self)
        painter.setFont(self._small_font())
        LoadPainting(painter, self._layout(), self._palette, self._words, self._marks).paint()

    def _layout(self) -> LoadLayout:
        assert self._load is not None, "nothing is laid out before there is a load"
        mean = QFontMetricsF(self._small_font()).horizontalAdvance(f"{self._words.mean} {LONGEST_MEAN}")
        return lay_out_load(
            self._load, width=self.width(), height=self.height(), mean_room=mean, chosen=self._marks.row
        )

    def _small_font(self) -> QFont:
        font = QFont(self.font())
        font.setPixelSize(TEXT_PIXELS)
        return font

    def _mark(self, marks: LoadMarks) -> None:
        if marks != self._marks:
            self._marks = marks
            self.update()

    # Mouse and keys

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._show_hover(event.position())

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self._show_hover(None)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        place = self._place_at(event.position())
        if place is None or event.button() != Qt.MouseButton.LeftButton:
            return
        if place.row is not None:
            self.row_chosen.emit(place.row)
        if place.device is not None:
            self.device_chosen.emit(place.device)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        steps = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1, Qt.Key.Key_Up: 1, Qt.Key.Key_Down: -1}
        key = Qt.Key(event.key())
        if self._load is None or key not in steps:
            super().keyPressEvent(event)
        elif key in (Qt.Key.Key_Left, Qt.Key.Key_Right):
            self.device_chosen.emit(_stepped(self._marks.device, steps[key], self._load.devices))
        else:
            self.row_chosen.emit(_stepped(self._marks.row, steps[key], len(self._load.layers)))

    def _place_at(self, place: QPointF) -> LoadPlace | None:
        return self._layout().at(place) if self._load is not None else None

    def _show_hover(self, place: QPointF | None) -> None:
        hovered = None if place is None else self._place_at(place)
        if hovered != self._marks.hovered:
            self._mark(replace(self._marks, hovered=hovered))
            self.place_hovered.emit(hovered)


def _stepped(here: int | None, step: int, count: int) -> int:
    return 0 if here is None else min(max(here + step, 0), count - 1)
