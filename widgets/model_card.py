"""The model card: what the open model is, where it comes from, what may be done with it, what to expect of it."""

from dataclasses import dataclass

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QFont, QKeyEvent
from PySide6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QLabel, QPushButton, QScrollArea, QVBoxLayout, QWidget

from widgets.card_text import Block, parse_card
from widgets.figures import tabular
from widgets.palette import DARK, Palette
from widgets.panel import ElidedLabel

WIDTH = 760
WIDE_TABLE = 90  # characters over all columns; the cells of a wider one are wrapped, else it would widen the sheet
HEADINGS = {1: 17, 2: 15}  # pixels; smaller ones are of text size
BODY_STYLE = "QScrollArea, QScrollArea > QWidget > QWidget { background: transparent; }"


@dataclass(frozen=True, slots=True, kw_only=True)
class CardFacts:
    """What is shown. `rows` are names and values known from headers and figures; `card` and `licence` are text from
    outside as it came, empty where there is none; `notes` say what could not be used.
    """

    name: str
    path: str
    rows: tuple[tuple[str, str], ...]
    card: str = ""
    licence: str = ""
    notes: tuple[str, ...] = ()


class ModelCard(QFrame):
    """A sheet over the window; it blocks nothing. Every text in it is plain text.

    Signals: `closed()`, when a person wants it gone.
    """

    closed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "panel")
        self.setAutoFillBackground(True)
        self.setMaximumWidth(WIDTH)
        self._palette = DARK
        self._facts: CardFacts | None = None
        self._name, self._path = ElidedLabel("", self), ElidedLabel("", self)
        self._close = QPushButton(self.tr("Close"), self)
        self._scroll = QScrollArea(self)
        self._arrange()
        self._close.clicked.connect(self.closed)
        self.hide()

    def show_palette(self, palette: Palette) -> None:
        """Take the theme's colours."""
        self._palette = palette
        if self._facts is not None:
            self._fill(self._facts)

    def show_facts(self, facts: CardFacts) -> None:
        """Describe a model; the sheet is shown and hidden by whoever places it."""
        if facts == self._facts:
            return
        self._facts = facts
        self._name.set_full_text(facts.name)
        self._path.set_full_text(facts.path)
        self.setAccessibleName(self.tr("Model card of {name}").format(name=facts.name))
        self._fill(facts)

    def texts(self) -> list[str]:
        """Everything that stands in the body, in its order."""
        inside = self._scroll.widget()
        return [label.text() for label in inside.findChildren(QLabel)] if inside is not None else []

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.closed.emit()
            return
        bar, step = self._scroll.verticalScrollBar(), event.key()
        pages = {Qt.Key.Key_PageDown: 1, Qt.Key.Key_PageUp: -1, Qt.Key.Key_Space: 1}
        if step in pages:
            bar.setValue(bar.value() + pages[Qt.Key(step)] * bar.pageStep())
            return
        super().keyPressEvent(event)

    # Filling

    def _fill(self, facts: CardFacts) -> None:
        inside = QWidget(self)
        column = QVBoxLayout(inside)
        column.setContentsMargins(0, 0, 12, 8)
        column.setSpacing(8)
        front, blocks = parse_card(facts.card)
        column.addLayout(self._rows((*facts.rows, *self._named(front))))
        for note in facts.notes:
            column.addWidget(self._words(f"·  {note}", colour="muted"))
        if not blocks:
            told = self.tr("There is no card beside this model's weights: what is above comes from its headers alone.")
            column.addWidget(self._words(told, colour="muted"))
        for block in blocks:
            column.addLayout(self._table(block)) if block.kind == "table" else column.addWidget(self._label(block))
        if facts.licence:
            column.addWidget(self._label(Block("heading", self.tr("Licence"), level=2)))
            column.addWidget(self._label(Block("code", facts.licence)))
        column.addStretch(1)
        self._scroll.setWidget(inside)  # which deletes the one before

    def _named(self, front: dict[str, str]) -> list[tuple[str, str]]:
        names = {
            "license": self.tr("licence"),
            "license_name": self.tr("licence"),
            "language": self.tr("languages"),
            "base_model": self.tr("made from"),
            "pipeline_tag": self.tr("task"),
            "tags": self.tr("tags"),
            "datasets": self.tr("datasets"),
        }
        return [(names[key], value) for key, value in front.items()]

    def _label(self, block: Block) -> QLabel:
        if block.kind == "heading":
            label = self._words(block.text)
            font = QFont(self.font())
            font.setWeight(QFont.Weight.DemiBold)
            font.setPixelSize(HEADINGS.get(block.level, 13))
            label.setFont(font)
            label.setContentsMargins(0, 10, 0, 0)
            return label
        if block.kind == "code":
            label = self._words(block.text, colour="muted")
            font = QFont(self.font())
            font.setFamilies(["JetBrains Mono", "Noto Sans Mono", "DejaVu Sans Mono"])
            font.setPixelSize(12)
            label.setFont(font)
            return label
        return self._words(f"·  {block.text}" if block.kind == "item" else block.text)

    def _rows(self, rows: tuple[tuple[str, str], ...]) -> QGridLayout:
        grid = QGridLayout()
        grid.setHorizontalSpacing(16)
        grid.setVerticalSpacing(4)
        grid.setColumnStretch(1, 1)
        for row, (name, value) in enumerate(rows):
            grid.addWidget(self._words(name, colour="muted", wrap=False), row, 0, Qt.AlignmentFlag.AlignTop)
            grid.addWidget(self._words(value), row, 1)
        return grid

    def _table(self, block: Block) -> QGridLayout:
        grid = QGridLayout()
        grid.setHorizontalSpacing(20)
        grid.setVerticalSpacing(3)
        width = len(block.rows[0])
        wide = sum(max(map(len, column)) for column in zip(*block.rows, strict=True)) > WIDE_TABLE
        grid.setColumnStretch(width, 1)
        for row, cells in enumerate(block.rows):
            for place, cell in enumerate(cells):
                label = self._words(cell, colour="muted" if row == 0 else "text", wrap=wide)
                number = (row > 0 and cell[:1].lstrip("+-−").isdecimal()) or cell[:1].isdecimal()
                label.setAlignment(Qt.AlignmentFlag.AlignRight if number and place else Qt.AlignmentFlag.AlignLeft)
                grid.addWidget(label, row, place)
        return grid

    def _words(self, text: str, *, colour: str = "text", wrap: bool = True) -> QLabel:
        label = QLabel(self)
        label.setTextFormat(Qt.TextFormat.PlainText)
        label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        label.setFont(tabular(label.font()))
        label.setWordWrap(wrap)
        label.setText(_breakable(text))
        label.setStyleSheet(f"color: {getattr(self._palette, colour)};")
        return label

    def _arrange(self) -> None:
        self._name.setProperty("role", "panel-title")
        self._path.setProperty("role", "muted")
        self._scroll.setWidgetResizable(True)
        self._scroll.setFrameShape(QFrame.Shape.NoFrame)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._scroll.setStyleSheet(BODY_STYLE)
        self._scroll.setWidget(QWidget(self))
        heading = QVBoxLayout()
        heading.setSpacing(2)
        heading.addWidget(self._name)
        heading.addWidget(self._path)
        top = QHBoxLayout()
        top.addLayout(heading, 1)
        top.addWidget(self._close, 0, Qt.AlignmentFlag.AlignTop)
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 16, 12, 12)
        column.setSpacing(12)
        column.addLayout(top)
        column.addWidget(self._scroll, 1)


def _breakable(text: str, *, longest: int = 20) -> str:
    """The text with invisible places to break words that would widen the sheet: addresses, paths."""
    words = text.split(" ")
    return " ".join(
        word if len(word) <= longest else "\u200b".join(word[at : at + 10] for at in range(0, len(word), 10))
        for word in words
    )
