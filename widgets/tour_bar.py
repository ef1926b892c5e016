"""The bar of the tour: where one is, one sentence of what is seen there, back, next, leave."""

from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from widgets.palette import DARK, Palette

HEIGHT = 58  # two lines of a sentence at 1280 pixels: the bar must not change its height from stop to stop


class TourBar(QFrame):
    """It takes no room while there is no tour.

    Signals: `next_wanted()`, `back_wanted()`, `leave_wanted()`.
    """

    next_wanted = Signal()
    back_wanted = Signal()
    leave_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._palette = DARK
        self.setMinimumHeight(HEIGHT)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Maximum)
        self.setAccessibleName(self.tr("Tour"))
        self._place, self._title, self._sentence = QLabel(self), QLabel(self), QLabel(self)
        self._back, self._next = QPushButton(self.tr("‹ Back"), self), QPushButton(self)
        self._leave = QPushButton("×", self)
        self._arrange()
        self._back.clicked.connect(self.back_wanted)
        self._next.clicked.connect(self._go_on)
        self._leave.clicked.connect(self.leave_wanted)
        self._last = False
        self.hide()

    def show_palette(self, palette: Palette) -> None:
        """Take the theme's colours."""
        self._palette = palette
        self.update()

    def show_stop(self, number: int, count: int, *, title: str, sentence: str) -> None:
        """Show a stop, counted from 1."""
        self._last = number == count
        self._place.setText(self.tr("TOUR · {number} OF {count}").format(number=number, count=count))
        self._title.setText(title)
        self._sentence.setText(sentence)
        self._back.setEnabled(number > 1)
        self._next.setText(self.tr("Done") if self._last else self.tr("Next ›"))
        self.setAccessibleDescription(f"{title}. {sentence}")
        self.show()
        self.updateGeometry()

    def sentence(self) -> str:
        """What the bar says."""
        return self._sentence.text()

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(self._palette.colour("accent"), 1.0))
        painter.setBrush(self._palette.colour("surface"))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(8.5, 6.5, -8.5, -0.5), 8, 8)

    def _go_on(self) -> None:
        (self.leave_wanted if self._last else self.next_wanted).emit()

    def _arrange(self) -> None:
        self._place.setProperty("role", "section")
        self._title.setProperty("role", "panel-title")
        for label in (self._place, self._title, self._sentence):
            label.setTextFormat(Qt.TextFormat.PlainText)
        self._sentence.setWordWrap(True)
        self._next.setProperty("role", "primary")
        self._leave.setProperty("role", "quiet")
        self._leave.setAccessibleName(self.tr("Leave the tour"))
        self._leave.setToolTip(self.tr("Leave the tour (F2)"))
        self._next.setToolTip(self.tr("Alt+Right"))
        self._back.setToolTip(self.tr("Alt+Left"))
        for text in (self.tr("Done"), self.tr("Next ›")):
            self._next.setText(text)
            self._next.setMinimumWidth(max(self._next.minimumWidth(), self._next.sizeHint().width()))
        heading = QVBoxLayout()
        heading.setSpacing(1)
        heading.addStretch(1)
        heading.addWidget(self._place)
        heading.addWidget(self._title)
        heading.addStretch(1)
        row = QHBoxLayout(self)
        row.setContentsMargins(22, 12, 16, 6)
        row.setSpacing(12)
        row.addLayout(heading)
        row.addSpacing(8)
        row.addWidget(self._sentence, 1)
        for button in (self._back, self._next, self._leave):
            row.addWidget(button)
