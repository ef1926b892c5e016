"""The minimap: the whole square in a corner of a zoomed map, the part in view framed; a press goes there."""

from PySide6.QtCore import QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QImage, QMouseEvent, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QWidget

from widgets.attention.data import AttentionMap
from widgets.attention.viewport import Viewport, extent
from widgets.palette import DARK, Palette

SMALLEST_FRAME = 5.0
SHARE, LEAST, MOST = 0.22, 60, 120
ROOMY = 190  # pixels of the map; a smaller one is not covered


def minimap_side(map_side: float) -> int:
    """The side for a map of this side, 0 where it would hide too much."""
    return 0 if map_side < ROOMY else int(min(max(map_side * SHARE, LEAST), MOST))


def frame_of(view: Viewport, side: float, tokens: int) -> QRectF:
    """The part in view, in pixels of the minimap; never too small to see."""
    scale = side / extent(tokens)
    size = max(view.span * scale, SMALLEST_FRAME)
    middle = (view.left + view.span / 2) * scale, (view.top + view.span / 2) * scale
    left, top = (min(max(place - size / 2, 0.0), side - size) for place in middle)
    return QRectF(left, top, size, size)


class MiniMap(QWidget):
    """Signals: `centre_wanted(float, float)`: key and query that should be in the middle of the view."""

    centre_wanted = Signal(float, float)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setAccessibleName(self.tr("Part of the map in view"))
        self._palette: Palette = DARK
        self._view = Viewport(0.0, 0.0, 8.0)
        self._tokens = 0
        self._overview: tuple[AttentionMap, QImage] | None = None
        self.hide()

    def show_view(self, view: Viewport, tokens: int, overview: tuple[AttentionMap, QImage] | None) -> None:
        """What is in view, of how many tokens, and the widest map there is."""
        if (view, tokens, overview) != (self._view, self._tokens, self._overview):
            self._view, self._tokens, self._overview = view, tokens, overview
            self.update()

    def show_palette(self, palette: Palette) -> None:
        """Take the colours."""
        self._palette = palette
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter, side = QPainter(self), float(self.width())
        painter.fillRect(self.rect(), self._palette.colour("surface"))
        scale = side / extent(self._tokens)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._palette.colour("background"))
        painter.drawPolygon(QPolygonF([QPointF(0, 0), QPointF(side, 0), QPointF(side, side)]))
        if self._overview is not None:
            shown, image = self._overview
            left, top = shown.keys[0] * scale, shown.queries[0] * scale
            right, bottom = shown.keys[1] * scale, shown.queries[1] * scale
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            painter.drawImage(QRectF(left, top, right - left, bottom - top), image)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(self._palette.colour("faint"), 1))
        painter.drawRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5))
        painter.setPen(QPen(self._palette.colour("accent"), 1.5))
        painter.drawRect(frame_of(self._view, side, self._tokens).adjusted(0.75, 0.75, -0.75, -0.75))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._go(event.position())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if event.buttons() & Qt.MouseButton.LeftButton:
            self._go(event.position())

    def _go(self, place: QPointF) -> None:
        scale = extent(self._tokens) / max(self.width(), 1)
        self.centre_wanted.emit(place.x() * scale, place.y() * scale)
