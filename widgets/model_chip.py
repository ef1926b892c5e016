"""The open model in one line: name, family, size, device, number format."""

from typing import TypeVar

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QProgressBar, QSizePolicy, QWidget

from widgets.figures import parameters_text
from widgets.panel import ElidedLabel
from widgets.plain_text import plain_tooltip

Label = TypeVar("Label", bound=QLabel)

LONGEST_NAME = 28
LONGEST_TOOLTIP = 2000
# The theme's track has the chip's own colour.
TRACK_STYLE = "QProgressBar { background: palette(mid); }"


class ModelChip(QFrame):
    """What is open, what is being opened, or that nothing is.

    Signals: `clicked()`, while a model is open.
    """

    clicked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "chip")
        self.setFixedHeight(28)
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(11, 0, 11, 0)
        self._row.setSpacing(8)
        self._name = self._label("number")
        self._family = self._added(_Squeezed(self), "muted")
        self._points = [self._label("faint")]
        self._total, self._active = self._label("number"), self._label("muted")
        self._points.append(self._label("faint"))
        self._device, self._dtype = self._label("text"), self._label("muted")
        for point in self._points:
            point.setText("·")
        self._details = self._compact = False
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._progress = QProgressBar(self)
        self._progress.setTextVisible(False)
        self._progress.setFixedWidth(120)
        self._progress.setStyleSheet(TRACK_STYLE)
        self._row.addWidget(self._progress)
        self.show_no_model(self.tr("no model open"))

    def show_model(
        self,
        name: str,
        *,
        family: str,
        total: int,
        active: int,
        device: str,
        dtype: str,
        notes: tuple[str, ...] = (),
    ) -> None:
        """Describe the open model; `total` and `active` are parameters, `active` per token; hover tells the notes."""
        self._show_words(name, family)
        self._total.setText(parameters_text(total))
        self._active.setText(self.tr("{count} active").format(count=parameters_text(active)))
        self._device.setText(device.upper() if device == "cpu" else device)
        self._dtype.setText(dtype)
        exact = self.tr("{total} parameters, {active} of them used per token")
        counts = exact.format(total=f"{total:,}", active=f"{active:,}")
        about = self.tr("Click for the model card")
        self._describe("\n".join([name, f"{family}, {device}, {dtype}", counts, about, *notes]))
        self._show_parts(details=True, progress=False)

    def show_no_model(self, text: str) -> None:
        """Say that nothing is open, in the caller's words."""
        self._show_words("", text)
        self._describe(text)
        self._show_parts(details=False, progress=False)

    def show_loading(self, name: str, fraction: float) -> None:
        """Show how much of a model has been read, 0 to 1."""
        percent = round(100 * min(max(fraction, 0.0), 1.0))
        self._show_words(name, self.tr("opening, {percent} %").format(percent=percent))
        self._progress.setValue(percent)
        self._describe(self._family.full_text())
        self._show_parts(details=False, progress=True)

    def set_compact(self, compact: bool) -> None:
        """Name, family and device only, for a narrow window; the tooltip tells the rest."""
        if compact != self._compact:
            self._compact = compact
            self._show_details()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if self._details and event.button() == Qt.MouseButton.LeftButton:
            self.clicked.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if self._details and event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            self.clicked.emit()
            return
        super().keyPressEvent(event)

    def _show_details(self) -> None:
        self._points[0].setVisible(self._details)
        self._device.setVisible(self._details)
        for label in (*self._points[1:], self._total, self._active, self._dtype):
            label.setVisible(self._details and not self._compact)

    def _show_words(self, name: str, text: str) -> None:
        self._name.setText(name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "…")
        self._name.setVisible(bool(name))
        self._family.set_full_text(text)
        self._family.updateGeometry()

    def _show_parts(self, *, details: bool, progress: bool) -> None:
        self._details = details
        self.setCursor(Qt.CursorShape.PointingHandCursor if details else Qt.CursorShape.ArrowCursor)
        self._show_details()
        self._progress.setVisible(progress)

    def _describe(self, text: str) -> None:
        self.setToolTip(plain_tooltip(text, limit=LONGEST_TOOLTIP))
        self.setAccessibleName(text)

    def _label(self, role: str) -> QLabel:
        return self._added(QLabel(self), role)

    def _added(self, label: Label, role: str) -> Label:
        label.setProperty("role", role)
        label.setTextFormat(Qt.TextFormat.PlainText)
        self._row.addWidget(label)
        return label


class _Squeezed(ElidedLabel):
    """As wide as its text where there is room; it gives way before anything else in the bar does."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__("", parent)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Preferred)

    def sizeHint(self) -> QSize:
        return QSize(self.fontMetrics().horizontalAdvance(self.full_text()) + 2, super().sizeHint().height())
