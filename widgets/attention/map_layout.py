"""Where the map, its labels and its bar lie in a widget, and how tokens and pixels translate."""

from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF, QSize

from widgets.attention.viewport import Viewport

TOP, LABEL_GAP, RIGHT_EDGE = 14, 12, 10
BAR_GAP, BAR_WIDTH, BAR_LABELS = 12, 8, 36


@dataclass(frozen=True, slots=True)
class MapLayout:
    """The map's square, the bar beside it, and the room for labels; all in pixels of the widget."""

    square: QRectF
    bar: QRectF
    label_width: float
    tilted_width: float

    def to_square(self, view: Viewport, keys: tuple[float, float], queries: tuple[float, float]) -> QRectF:
        """The rectangle of keys × queries."""
        scale = self.square.width() / view.span
        return QRectF(
            self.square.left() + (keys[0] - view.left) * scale,
            self.square.top() + (queries[0] - view.top) * scale,
            (keys[1] - keys[0]) * scale,
            (queries[1] - queries[0]) * scale,
        )

    def cell_at(self, view: Viewport, point: QPointF, tokens: int) -> tuple[int, int] | None:
        """(query, key) under a point; None outside the square and beyond the last token."""
        if not self.square.contains(point):
            return None
        scale = self.square.width() / view.span
        key = int(view.left + (point.x() - self.square.left()) / scale)
        query = int(view.top + (point.y() - self.square.top()) / scale)
        return (query, key) if 0 <= query < tokens and 0 <= key < tokens else None


def lay_out(size: QSize) -> MapLayout:
    """The largest square that leaves room for labels on both sides and the bar; smaller labels when there is little."""
    width, height = float(size.width()), float(size.height())
    label_width, below, beside = _room(width, height)
    side = float(int(max(min(width - label_width - LABEL_GAP - beside, height - TOP - below - 6), 40.0)))
    square = QRectF(label_width + LABEL_GAP, TOP, side, side)
    bar = QRectF(square.right() + BAR_GAP, TOP, BAR_WIDTH, side)
    return MapLayout(square, bar, label_width, below)


def ideal_width(height: int) -> int:
    """The width at which a map of this height is as large as it can be."""
    label_width, below, beside = _room(float("inf"), height)
    return int(height - TOP - below - 6 + label_width + LABEL_GAP + beside)


def _room(width: float, height: float) -> tuple[float, float, float]:
    """Pixels for labels at the left, labels below, and bar at the right."""
    tight = width < 380
    label_width = 50.0 if tight else 68.0
    below = 42.0 if height < 240 else 56.0
    return label_width, below, BAR_GAP + BAR_WIDTH + BAR_LABELS + (2 if tight else RIGHT_EDGE)
