"""The graph of experts that fire together: circles as large as their tokens, lines as wide as their lift."""

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QFont, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from widgets.devices.layout import GraphPicture
from widgets.palette import DARK, Palette, ink_on

MARGIN = 22.0
TEXT_PIXELS = 11
WIDEST_EDGE = 5.0
FADED = 0.45
WIDEST_GRAPH = 1.9  # width over height: beyond, the graph would be stretched out of shape


class GraphCanvas(QWidget):
    """A laid-out graph of experts. Signals: `expert_chosen(int)`, `expert_hovered(int)`, −1 for none."""

    expert_chosen = Signal(int)
    expert_hovered = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._palette = DARK
        self._picture: GraphPicture | None = None
        self._expert: int | None = None
        self._hover = -1
        self.waiting = ""

    def show_picture(self, picture: GraphPicture | None) -> None:
        """Draw another graph; None while none is laid out."""
        self._picture = picture
        self.update()

    def show_chosen(self, expert: int | None) -> None:
        """Frame an expert and bring its edges forward."""
        if expert != self._expert:
            self._expert = expert
            self.update()

    def show_palette(self, palette: Palette) -> None:
        """Take other colours."""
        self._palette = palette
        self.update()

    def centres(self) -> NDArray[np.float64]:
        """Centres of all experts [E, 2], in pixels of this widget."""
        assert self._picture is not None
        height = max(20.0, self.height() - 2 * MARGIN)
        width = max(20.0, min(self.width() - 2 * MARGIN, WIDEST_GRAPH * height))
        left = (self.width() - width) / 2
        centres: NDArray[np.float64] = np.array([left, MARGIN]) + self._picture.places * np.array([width, height])
        return centres

    def radii(self) -> NDArray[np.float64]:
        """Radius of every circle [E] in pixels; its area grows with the expert's tokens."""
        assert self._picture is not None
        counts = self._picture.graph.counts.astype(np.float64)
        largest = float(np.clip(0.34 * np.sqrt(self.width() * self.height() / max(len(counts), 1)), 5.0, 17.0))
        radii: NDArray[np.float64] = np.maximum(2.5, largest * np.sqrt(counts / max(counts.max(initial=1.0), 1.0)))
        return radii

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        font = QFont(self.font())
        font.setPixelSize(TEXT_PIXELS)
        painter.setFont(font)
        if self._picture is None:
            painter.setPen(self._palette.colour("muted"))
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, self.waiting)
            return
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        centres, radii = self.centres(), self.radii()
        self._paint_edges(painter, centres)
        near = self._near()
        for expert in range(len(centres)):
            self._paint_expert(painter, expert, centres[expert], float(radii[expert]), faded=expert not in near)

    def _paint_edges(self, painter: QPainter, centres: NDArray[np.float64]) -> None:
        assert self._picture is not None
        community = self._picture.community
        for own in (False, True):
            for one, other, lift in self._picture.edges:
                if (self._expert in (one, other)) != own:
                    continue
                same = community[one] == community[other] and community[one] >= 0
                colour = self._palette.category(int(community[one])) if same else self._palette.colour("faint")
                colour.setAlphaF(0.95 if own else 0.5 if self._expert is None else 0.28)
                painter.setPen(QPen(colour, edge_width(lift), Qt.PenStyle.SolidLine, Qt.PenCapStyle.FlatCap))
                painter.drawLine(QPointF(*centres[one]), QPointF(*centres[other]))

    def _near(self) -> set[int]:
        """The selected expert and those it has an edge with; all experts when none is selected."""
        assert self._picture is not None
        if self._expert is None:
            return set(range(len(self._picture.places)))
        return {self._expert}.union(*(edge[:2] for edge in self._picture.edges if self._expert in edge[:2]))

    def _paint_expert(
        self, painter: QPainter, expert: int, centre: NDArray[np.float64], radius: float, *, faded: bool
    ) -> None:
        assert self._picture is not None
        community = int(self._picture.community[expert])
        colour = self._palette.category(community) if community >= 0 else self._palette.colour("faint")
        if faded:
            colour = _towards(self._palette.colour("surface"), colour, FADED)
        place = QPointF(float(centre[0]), float(centre[1]))
        painter.setPen(QPen(self._palette.colour("surface"), 1.5))
        painter.setBrush(colour)
        painter.drawEllipse(place, radius, radius)
        if expert in (self._expert, self._hover):
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(self._palette.colour("accent" if expert == self._expert else "muted"), 1.5))
            painter.drawEllipse(place, radius + 2.5, radius + 2.5)
        self._paint_name(painter, str(expert), place, radius, colour)

    def _paint_name(self, painter: QPainter, name: str, place: QPointF, radius: float, colour: QColor) -> None:
        width = painter.fontMetrics().horizontalAdvance(name)
        area = QRectF(place.x() - 30, place.y() - 8, 60, 16)
        if width + 4 <= 2 * radius:
            painter.setPen(ink_on(colour))
            painter.drawText(area, Qt.AlignmentFlag.AlignCenter, name)
        elif name == str(self._expert):
            painter.setPen(self._palette.colour("text"))
            painter.drawText(area.translated(0, -radius - 11), Qt.AlignmentFlag.AlignCenter, name)

    def _expert_at(self, place: QPointF) -> int:
        if self._picture is None or not len(self._picture.places):
            return -1
        away = np.hypot(*(self.centres() - np.array([place.x(), place.y()])).T)
        nearest = int(np.argmin(away))
        return nearest if away[nearest] <= self.radii()[nearest] + 3 else -1

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._show_hover(self._expert_at(event.position()))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        expert = self._expert_at(event.position())
        if expert >= 0 and event.button() == Qt.MouseButton.LeftButton:
            self.expert_chosen.emit(expert)

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self._show_hover(-1)

    def _show_hover(self, expert: int) -> None:
        if expert != self._hover:
            before, self._hover = self._hover, expert
            self.expert_hovered.emit(expert)
            self._repaint_around(before)
            self._repaint_around(expert)

    def _repaint_around(self, expert: int) -> None:
        """Repaint one circle alone: a whole graph of many experts takes too long to follow the mouse."""
        if self._picture is not None and 0 <= expert < len(self._picture.places):
            reach = int(self.radii()[expert]) + 6
            left, top = self.centres()[expert] - reach
            self.update(int(left), int(top), 2 * reach + 1, 2 * reach + 1)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        back, forward = (Qt.Key.Key_Left, Qt.Key.Key_Up), (Qt.Key.Key_Right, Qt.Key.Key_Down)
        key = Qt.Key(event.key())
        if self._picture is None or key not in back + forward:
            super().keyPressEvent(event)
            return
        experts = len(self._picture.places)
        here = self._expert if self._expert is not None else -1 if key in forward else experts
        self.expert_chosen.emit(min(max(here + (1 if key in forward else -1), 0), experts - 1))


def _towards(start: QColor, end: QColor, part: float) -> QColor:
    channels = zip(start.getRgbF(), end.getRgbF(), strict=True)  # type: ignore[call-overload]
    return QColor.fromRgbF(*(low + part * (high - low) for low, high in channels))


def edge_width(lift: float) -> float:
    """Width of an edge in pixels: 1 at chance, one and a half more for every doubling, never above 5."""
    return float(min(WIDEST_EDGE, 1.0 + 1.5 * max(0.0, np.log2(max(lift, 1e-9)))))
