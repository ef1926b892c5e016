"""Which heads connect two tokens most: one line a head, strongest first, over all layers."""

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QFont, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QAbstractScrollArea, QFrame, QWidget

from widgets.attention.colour_scale import ColourScale
from widgets.attention.readout import probability, score
from widgets.heads.data import PairScores, Place
from widgets.palette import DARK, Palette

PITCH, BAR, HEAD_WIDTH, NUMBER = 22, 13, 46, 58
TOP = 20


class PairList(QAbstractScrollArea):
    """Signals: `head_chosen(int, int)`, layer and head; `head_hovered(object)`, the same or None."""

    head_chosen = Signal(int, int)
    head_hovered = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.viewport().setMouseTracking(True)
        self.viewport().setAutoFillBackground(False)
        self.setAccessibleName(self.tr("Heads that connect the two tokens, strongest first"))
        self._palette: Palette = DARK
        self._pair: PairScores | None = None
        self._ranked: Sequence[Place] = ()
        self._chosen: Place = (0, 0)
        self._hover: Place | None = None

    def show_pair(self, pair: PairScores | None) -> None:
        """Draw this answer, or nothing."""
        self._pair = pair
        self._ranked = () if pair is None else pair.ranked()
        self.verticalScrollBar().setValue(0)
        self._set_range()
        self.viewport().update()

    def show_selection(self, layer: int, head: int) -> None:
        """Mark the chosen head."""
        self._chosen = (layer, head)
        self.viewport().update()

    def show_palette(self, palette: Palette) -> None:
        """Take the colours."""
        self._palette = palette
        self.viewport().update()

    def ranked(self) -> Sequence[Place]:
        """The heads from the strongest."""
        return self._ranked

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._set_range()

    def paintEvent(self, _event: QPaintEvent) -> None:
        if self._pair is None:
            return
        painter = QPainter(self.viewport())
        font = QFont(self.font())
        font.setPixelSize(12)
        painter.setFont(font)
        self._paint_titles(painter)
        painter.setClipRect(0, TOP, self.viewport().width(), self.viewport().height() - TOP)
        first = self.verticalScrollBar().value() // PITCH
        for index in range(first, min(first + self.viewport().height() // PITCH + 2, len(self._ranked))):
            self._paint_line(painter, index, self._ranked[index])

    def mousePressEvent(self, event: QMouseEvent) -> None:
        place = self._at(event.position().y())
        if place is not None:
            self.head_chosen.emit(*place)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._set_hover(self._at(event.position().y()))

    def viewportEvent(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Leave:
            self._set_hover(None)
        return super().viewportEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        step = {Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1}.get(Qt.Key(event.key()))
        if step is None or not self._ranked:
            super().keyPressEvent(event)
            return
        at = self._ranked.index(self._chosen) if self._chosen in self._ranked else -1
        target = min(max(at + step, 0), len(self._ranked) - 1)
        bar = self.verticalScrollBar()
        bar.setValue(min(max(bar.value(), (target + 2) * PITCH + TOP - self.viewport().height()), target * PITCH))
        self.head_chosen.emit(*self._ranked[target])

    def _set_range(self) -> None:
        bar, height = self.verticalScrollBar(), self.viewport().height()
        bar.setRange(0, max(len(self._ranked) * PITCH + TOP - height, 0))
        bar.setPageStep(max(height, 1))
        bar.setSingleStep(PITCH)

    def _columns(self) -> tuple[float, float]:
        """Left of the bars, and their greatest width."""
        left = float(HEAD_WIDTH + 8)
        return left, max(self.viewport().width() - left - 4 * NUMBER, 40.0)

    def _paint_titles(self, painter: QPainter) -> None:
        left, room = self._columns()
        painter.setPen(self._palette.colour("muted"))
        middle = Qt.AlignmentFlag.AlignVCenter
        painter.drawText(QRectF(0, 0, HEAD_WIDTH, TOP), middle | Qt.AlignmentFlag.AlignRight, self.tr("head"))
        titles = (self.tr("p"), self.tr("content"), self.tr("position"), self.tr("rank"))
        for column, title in enumerate(titles):
            box = QRectF(left + room + column * NUMBER, 0, NUMBER - 6, TOP)
            painter.drawText(box, middle | Qt.AlignmentFlag.AlignRight, title)

    def _paint_line(self, painter: QPainter, index: int, place: Place) -> None:
        assert self._pair is not None
        top = TOP + index * PITCH - self.verticalScrollBar().value()
        left, room = self._columns()
        if place == self._hover:
            painter.fillRect(QRectF(0, top, self.viewport().width(), PITCH), self._palette.colour("raised"))
        middle, right = Qt.AlignmentFlag.AlignVCenter, Qt.AlignmentFlag.AlignRight
        painter.setPen(self._palette.colour("accent" if place == self._chosen else "text"))
        painter.drawText(QRectF(0, top, HEAD_WIDTH, PITCH), middle | right, f"{place[0]}·{place[1]}")
        value = float(self._pair.probabilities[place])
        box = QRectF(left, top + (PITCH - BAR) / 2, max(value * room, 1.0) if value == value else 0.0, BAR)
        painter.setBrush(ColourScale("probability").colour(value, self._palette))
        painter.setPen(QPen(self._palette.colour("line"), 1))
        painter.drawRect(box.adjusted(0.5, 0.5, -0.5, -0.5))
        painter.setPen(self._palette.colour("text"))
        texts = (
            probability(value),
            score(float(self._pair.content_scores[place])),
            score(float(self._pair.position_scores[place])),
            f"{int(self._pair.ranks[place]):,}",
        )
        for column, text in enumerate(texts):
            painter.drawText(QRectF(left + room + column * NUMBER, top, NUMBER - 6, PITCH), middle | right, text)

    def _at(self, y: float) -> Place | None:
        index = int((y - TOP + self.verticalScrollBar().value()) // PITCH)
        return self._ranked[index] if y >= TOP and 0 <= index < len(self._ranked) else None

    def _set_hover(self, place: Place | None) -> None:
        if place != self._hover:
            self._hover = place
            self.viewport().update()
            self.head_hovered.emit(place)


def point_of(index: int) -> QPointF:
    """A point on a line of the list, before scrolling."""
    return QPointF(20.0, TOP + (index + 0.5) * PITCH)
