"""Every token of the run as a chip, coloured by a measure: prompt first, then what the model wrote."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPoint, QSize, Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QMenu, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from widgets.palette import Palette
from widgets.selection import Selection
from widgets.token_chips import CHIP, PITCH, TokenChips
from widgets.token_measure import NOTHING, Measure, MeasureKind, MeasureLegend

MARGIN = 9


class TokenStrip(QFrame):
    """Chips in wrapped lines, the newest in view unless someone scrolled away.

    Signals: `token_chosen(int)`; `measure_chosen(str)`, a key given to `set_measures`; `hovered_text(str)`.
    """

    token_chosen = Signal(int)
    measure_chosen = Signal(str)
    hovered_text = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "panel")
        self.setAccessibleName(self.tr("Tokens"))
        self._chips = TokenChips(self)
        self._legend = MeasureLegend(self)
        self._button = QPushButton(self)
        self._button.setProperty("role", "quiet")
        self._button.setCursor(Qt.CursorShape.PointingHandCursor)
        self._menu = QMenu(self)
        self._button.clicked.connect(self._open_menu)
        self._button.hide()
        self._chips.chosen.connect(self.token_chosen)
        self._chips.hovered.connect(self._tell)
        self._arrange()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.setMinimumHeight(self.height_for(2))
        self.setMaximumHeight(self.height_for(3))

    @staticmethod
    def height_for(lines: int) -> int:
        """Pixels that so many lines need."""
        return lines * PITCH - (PITCH - CHIP) + 2 * MARGIN + 4

    def set_measures(self, measures: Sequence[tuple[str, str]]) -> None:
        """(key, label) of everything that chips can be coloured by."""
        self._menu.clear()
        for key, label in measures:
            action = self._menu.addAction(label)
            action.triggered.connect(lambda _checked=False, key=key: self.measure_chosen.emit(key))
        self._button.setVisible(bool(measures))

    def show_tokens(self, texts: Sequence[str], prompt_tokens: int) -> None:
        """All tokens so far; the first `prompt_tokens` were given, the others generated."""
        self._chips.show_tokens(texts, prompt_tokens)
        words = self.tr("{0} tokens, {1} of them from the prompt").format(f"{len(texts):,}", f"{prompt_tokens:,}")
        self.setAccessibleDescription(words)

    def show_measure(
        self, name: str, values: NDArray[np.float32], low: float, high: float, kind: MeasureKind = "sequential"
    ) -> None:
        """Colour chips by `values` [T], NaN where unknown; `low` … `high` span the colours of a sequential one."""
        measure = Measure(name=name, values=values, low=low, high=high, kind=kind)
        self._chips.show_measure(measure)
        self._legend.show_measure(measure)
        # A doubled ampersand is a plain one on a button.
        self._button.setText(self.tr("coloured by {0} ▾").format(name.replace("&", "&&")))

    def show_selection(self, selection: Selection) -> None:
        """Frame the selected token and bring it into view."""
        self._chips.show_chosen(selection.token)

    def show_palette(self, palette: Palette) -> None:
        """Take the colours."""
        self._chips.show_palette(palette)
        self._legend.show_palette(palette)

    def clear(self, hint: str = "") -> None:
        """Forget all tokens; the hint says what will appear."""
        self._chips.show_hint(hint or self.tr("Every token of the prompt and of the answer appears here."))
        self.show_tokens((), 0)
        self._chips.show_measure(NOTHING)
        self._legend.show_measure(NOTHING)
        self._chips.show_chosen(None)

    def sizeHint(self) -> QSize:
        return QSize(600, self.height_for(2))

    def _arrange(self) -> None:
        beside = QVBoxLayout()
        beside.setSpacing(0)
        beside.addWidget(self._legend)
        beside.addStretch(1)
        beside.addWidget(self._button, 0, Qt.AlignmentFlag.AlignRight)
        row = QHBoxLayout(self)
        row.setContentsMargins(MARGIN + 1, MARGIN, MARGIN, MARGIN)
        row.setSpacing(10)
        row.addWidget(self._chips, 1)
        row.addLayout(beside)
        self.setFocusProxy(self._chips)
        self.clear()

    def _open_menu(self) -> None:
        corner = self._button.mapToGlobal(self._button.rect().bottomRight())
        self._menu.popup(corner - QPoint(self._menu.sizeHint().width(), 0))

    def _tell(self, token: int | None) -> None:
        self.hovered_text.emit("" if token is None else self._chips.words(token))
