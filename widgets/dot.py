"""A small round lamp: the state of the engine or of the proof in one colour."""

from PySide6.QtCore import QPointF, QSize
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

DIAMETER = 8.0


class Dot(QWidget):
    """A filled circle of eight pixels."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._colour = QColor("#808080")
        self.setFixedSize(10, 12)

    def sizeHint(self) -> QSize:
        return QSize(10, 12)

    def show_colour(self, colour: QColor) -> None:
        """Light up in this colour."""
        if colour != self._colour:
            self._colour = colour
            self.update()

    def colour(self) -> QColor:
        """The colour it shows now."""
        return self._colour

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        paint_dot(painter, centre=QPointF(self.width() / 2, self.height() / 2), colour=self._colour)


def paint_dot(painter: QPainter, *, centre: QPointF, colour: QColor) -> None:
    """Draw the lamp anywhere, without outline."""
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(colour)
    painter.setBrush(colour)
    painter.drawEllipse(centre, DIAMETER / 2 - 0.5, DIAMETER / 2 - 0.5)
    painter.restore()
