"""How the next token is chosen: one compact button, and a row of four numbers that opens below it."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QDoubleSpinBox,
    QGridLayout,
    QLabel,
    QPushButton,
    QSpinBox,
    QWidget,
)

from model.config import Sampling
from widgets.figures import tabular

MOST_NEW_TOKENS = 1_000_000
MOST_SEED = 2**31 - 1
MOST_TOP_K = 1_000_000
# The theme gives every line edit a frame, also the one inside a spin box. Arrows are hidden by a width of 0:
# under a style sheet, NoButtons leaves the number a field one pixel wide (Qt 6.11).
FIELD_STYLE = """
QAbstractSpinBox::up-button, QAbstractSpinBox::down-button { width: 0; border: none; }
QAbstractSpinBox { padding: 3px 0; }
QLineEdit { border: none; background: transparent; padding: 0; }
"""


def sampling_words(sampling: Sampling, *, greedy: str) -> str:
    """The settings in a few words: `Greedy`, or `T 0.8 · p 0.95 · k 40`."""
    if sampling.temperature == 0:
        return greedy
    words = [f"T {sampling.temperature:g}"]
    if sampling.top_p < 1:
        words.append(f"p {sampling.top_p:g}")
    if sampling.top_k:
        words.append(f"k {sampling.top_k}")
    return " · ".join(words)


class SamplingControls(QWidget):
    """Temperature, top-p, top-k and seed, each held in its range.

    Signals: `changed(object)`, the Sampling, when a number changes.
    """

    changed = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.temperature = _decimal(self, most=100.0, step=0.1)
        self.top_p = _decimal(self, most=1.0, step=0.05)
        self.top_p.setMinimum(0.01)
        self.top_k = whole_number(self, most=MOST_TOP_K)
        self.seed = whole_number(self, most=MOST_SEED)
        self.top_p.setValue(1.0)
        self.temperature.setToolTip(self.tr("0 is greedy: always the most probable token"))
        self.top_p.setToolTip(self.tr("Sample from the most probable tokens that together reach this probability"))
        self.top_k.setToolTip(self.tr("Sample from so many of the most probable tokens; 0 switches it off"))
        self.seed.setToolTip(self.tr("The same seed gives the same text"))
        self._arrange()
        for spin in (self.temperature, self.top_p):
            spin.valueChanged.connect(self._tell)
        for whole in (self.top_k, self.seed):
            whole.valueChanged.connect(self._tell)

    def sampling(self) -> Sampling:
        """The settings as they are."""
        return Sampling(
            temperature=round(self.temperature.value(), 2),
            top_p=round(self.top_p.value(), 2),
            top_k=self.top_k.value(),
            seed=self.seed.value(),
        )

    def show_sampling(self, sampling: Sampling) -> None:
        """Set all four numbers."""
        self.temperature.setValue(sampling.temperature)
        self.top_p.setValue(sampling.top_p)
        self.top_k.setValue(sampling.top_k)
        self.seed.setValue(sampling.seed)

    def _tell(self) -> None:
        self.changed.emit(self.sampling())

    def _arrange(self) -> None:
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(8)
        grid.setVerticalSpacing(3)
        fields: list[tuple[str, QAbstractSpinBox]] = [
            (self.tr("Temperature"), self.temperature),
            (self.tr("Top-p"), self.top_p),
            (self.tr("Top-k"), self.top_k),
            (self.tr("Seed"), self.seed),
        ]
        for index, (name, spin) in enumerate(fields):
            label = QLabel(name, self)
            label.setProperty("role", "muted")
            label.setBuddy(spin)
            spin.setAccessibleName(name)
            grid.addWidget(label, 2 * (index // 2), index % 2)
            grid.addWidget(spin, 2 * (index // 2) + 1, index % 2)
        grid.setColumnStretch(0, 1)
        grid.setColumnStretch(1, 1)


class SamplingButton(QPushButton):
    """Says how tokens are chosen; checked while the numbers are open."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setCheckable(True)
        self.setAccessibleDescription(self.tr("Temperature, top-p, top-k and seed"))
        self.show_sampling(Sampling())
        self.toggled.connect(lambda: self.show_sampling(self._sampling))

    def show_sampling(self, sampling: Sampling) -> None:
        """Put the settings into a few words."""
        self._sampling = sampling
        arrow = "▴" if self.isChecked() else "▾"
        words = sampling_words(sampling, greedy=self.tr("Greedy"))
        self.setToolTip(words)
        short, *filters = words.split(" · ")
        self.setText(f"{short} {'… ' if filters else ''}{arrow}")


def whole_number(parent: QWidget, *, most: int) -> QSpinBox:
    """A field for a whole number from 0, without arrows."""
    spin = QSpinBox(parent)
    spin.setRange(0, most)
    _plain(spin)
    return spin


def _decimal(parent: QWidget, *, most: float, step: float) -> QDoubleSpinBox:
    spin = QDoubleSpinBox(parent)
    spin.setRange(0.0, most)
    spin.setDecimals(2)
    spin.setSingleStep(step)
    _plain(spin)
    return spin


def _plain(spin: QAbstractSpinBox) -> None:
    spin.setFont(tabular(spin.font()))
    # Without this the wheel changes a number when one only wanted to scroll past it.
    spin.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    spin.setStyleSheet(FIELD_STYLE)
    spin.lineEdit().setTextMargins(6, 0, 6, 0)
    spin.setMinimumWidth(54)
