"""One line of named numbers; when it gets narrow the heading goes first, then the last numbers."""

from PySide6.QtCore import QSize
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QWidget

BETWEEN_FIELDS = 16


class NumbersRow(QWidget):
    """Names and values side by side, each explained by a tooltip."""

    def __init__(self, heading: str, explained: dict[str, str], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._heading = QLabel(heading, self)
        self._heading.setProperty("role", "section")
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 0, 12, 0)
        row.setSizeConstraint(QHBoxLayout.SizeConstraint.SetNoConstraint)
        row.setSpacing(BETWEEN_FIELDS)
        row.addWidget(self._heading)
        self._fields: list[QWidget] = []
        self._values: dict[str, QLabel] = {}
        for name, explanation in explained.items():
            field = self._field(name, explanation)
            self._fields.append(field)
            row.addWidget(field)
        row.addStretch(1)

    def show_values(self, values: dict[str, str]) -> None:
        """Write values by name."""
        for name, value in values.items():
            self._values[name].setText(value)
        self._make_room()

    def value(self, name: str) -> str:
        """The written value of a name."""
        return self._values[name].text()

    def minimumSizeHint(self) -> QSize:
        return QSize(0, super().minimumSizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._make_room()

    def _field(self, name: str, explanation: str) -> QWidget:
        field = QWidget(self)
        field.setToolTip(explanation)
        inside = QHBoxLayout(field)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.setSpacing(5)
        for label, role in ((QLabel(name, field), "muted"), (QLabel("0.00", field), "number")):
            label.setProperty("role", role)
            inside.addWidget(label)
            self._values[name] = label
        return field

    def _make_room(self) -> None:
        widths = [field.sizeHint().width() + BETWEEN_FIELDS for field in self._fields]
        room = self.width() - 24
        self._heading.setVisible(sum(widths) + self._heading.sizeHint().width() <= room)
        for index, field in enumerate(self._fields):
            field.setVisible(sum(widths[: index + 1]) - BETWEEN_FIELDS <= room)
