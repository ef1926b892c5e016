"""A number among a few, such as layer 5 of 8: typed, stepped, or wheeled."""

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QIntValidator, QKeyEvent, QWheelEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QLineEdit, QPushButton, QWidget

from widgets.figures import tabular

VALUE_STYLE = "QFrame#value { border: none; border-bottom: 2px solid palette(highlight); background: transparent; }"
NUMBER_STYLE = "QLineEdit { background: transparent; border: none; padding: 0; font-weight: 600; }"
ARROW_STYLE = "QPushButton { padding: 0 4px; min-width: 12px; }"
STEPS = {
    Qt.Key.Key_Up: 1,
    Qt.Key.Key_Down: -1,
    Qt.Key.Key_PageUp: 8,
    Qt.Key.Key_PageDown: -8,
}


class Stepper(QWidget):
    """A name, and ‹ 5 of 8 ›. Numbers count from 0.

    Signals: `chosen(int)`, only when a person asks for another number; it shows when set.
    """

    chosen = Signal(int)

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._value, self._count = 0, 0
        self._name = QLabel(name, self)
        self._name.setProperty("role", "muted")
        self._less = self._arrow("‹", self.tr("Previous {name}").format(name=name.lower()), -1)
        self._more = self._arrow("›", self.tr("Next {name}").format(name=name.lower()), 1)
        self._number = QLineEdit(self)
        self._number.setAccessibleName(name)
        self._of = QLabel(self)
        self._of.setProperty("role", "muted")
        self._arrange()
        self._number.returnPressed.connect(self._typed)
        self._number.editingFinished.connect(self._restore)
        self._number.installEventFilter(self)
        self.show_value(0, count=0)

    def show_value(self, value: int, *, count: int) -> None:
        """Show one number of `count`; emits nothing. A count of 0 means there is nothing to choose."""
        self._value, self._count = value, count
        self._number.setValidator(QIntValidator(0, 9999, self))
        self._of.setText(self.tr("of {count}").format(count=count) if count else "–")
        widest = self.fontMetrics().horizontalAdvance("0" * max(1, len(str(max(count - 1, 0)))))
        self._number.setFixedWidth(widest + 8)
        self._less.setEnabled(value > 0)
        self._more.setEnabled(value < count - 1)
        self._number.setEnabled(count > 0)
        self._restore()

    def value(self) -> int:
        """The number shown."""
        return self._value

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            step = STEPS.get(Qt.Key(event.key()))
            if step is not None:
                self._step(step)
                return True
        return super().eventFilter(watched, event)

    def wheelEvent(self, event: QWheelEvent) -> None:
        if event.angleDelta().y():
            self._step(1 if event.angleDelta().y() > 0 else -1)
        event.accept()

    def _arrow(self, text: str, name: str, step: int) -> QPushButton:
        button = QPushButton(text, self)
        button.setProperty("role", "quiet")
        button.setStyleSheet(ARROW_STYLE)
        button.setAccessibleName(name)
        button.setToolTip(name)
        button.setAutoRepeat(True)
        button.clicked.connect(lambda: self._step(step))
        return button

    def _arrange(self) -> None:
        self._number.setStyleSheet(NUMBER_STYLE)
        self._number.setFont(tabular(self.font()))
        self._number.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        value = QFrame(self)
        value.setObjectName("value")
        value.setStyleSheet(VALUE_STYLE)
        inner = QHBoxLayout(value)
        inner.setContentsMargins(8, 0, 8, 0)
        inner.setSpacing(2)
        inner.addWidget(self._number)
        inner.addWidget(self._of)
        frame = QFrame(self)
        frame.setProperty("role", "chip")
        frame.setFixedHeight(26)
        row = QHBoxLayout(frame)
        row.setContentsMargins(3, 1, 3, 1)
        row.setSpacing(2)
        row.addWidget(self._less)
        row.addWidget(value)
        row.addWidget(self._more)
        outer = QHBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(10)
        outer.addWidget(self._name)
        outer.addWidget(frame)

    def _step(self, step: int) -> None:
        wanted = min(max(self._value + step, 0), max(self._count - 1, 0))
        if wanted != self._value:
            self.chosen.emit(wanted)

    def _typed(self) -> None:
        text = self._number.text()
        wanted = min(int(text), self._count - 1) if text.isdecimal() else self._value
        if wanted != self._value and wanted >= 0:
            self.chosen.emit(wanted)

    def _restore(self) -> None:
        self._number.setText(str(self._value) if self._count else "")
