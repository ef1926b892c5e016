"""Attention study: MHA, GQA, MQA and MLA trained alike, their figures, and one prompt run through all four."""

from PySide6.QtCore import QPointF, Qt, Signal
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QLineEdit, QPushButton, QSizePolicy, QWidget

from model.study_report import PaperRow, StudyReport
from widgets.palette import Palette
from widgets.panel import ElidedLabel, Panel
from widgets.study.data import KINDS, Growth
from widgets.study.study_plots import GrowthPlot, LossPlot, ReadsPlot
from widgets.study.study_table import StudyTable, name_of
from widgets.study.study_words import answer, curve_line

PROMPT = "The king said to the queen, and the queen said to the king: "


class StudyView(Panel):
    """Above what was measured once, below what is measured now.

    Signals: `compare_wanted(str)` with a prompt; `stop_wanted()`; `hovered_text(str)`.
    """

    compare_wanted = Signal(str)
    stop_wanted = Signal()
    hovered_text = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(self.tr("Attention study"), parent)
        self._report: StudyReport | None = None
        self._curves: dict[str, Growth] = {}
        self._kind, self._running = "mla", False
        self._table = StudyTable(self)
        self._loss, self._growth, self._reads = LossPlot(self), GrowthPlot(self), ReadsPlot(self)
        self._loss.setAccessibleName(self.tr("Held-out bits per byte over KV bytes per token"))
        self._growth.setAccessibleName(self.tr("Measured KV bytes of the four caches"))
        self._reads.setAccessibleName(self.tr("How often each cached entry was read again"))
        self._prompt = QLineEdit(PROMPT, self)
        self._prompt.setAccessibleName(self.tr("Prompt for the four models"))
        self._button = QPushButton(self.tr("Run it through all four"), self)
        self._button.setProperty("role", "primary")
        self._quotes = {kind: ElidedLabel("", self) for kind in KINDS}
        self._answer, self._paper = _paragraph(self), _paragraph(self)
        self._paper.setProperty("role", "muted")
        self.set_body(self._body())
        self._connect()
        self.clear()

    def show_palette(self, palette: Palette) -> None:
        """Take the theme's colours."""
        for part in (self._table, self._loss, self._growth, self._reads):
            part.show_palette(palette)

    def show_report(self, report: StudyReport) -> None:
        """The figures as shipped."""
        if report is not self._report:
            self._report = report
            self._table.show_report(report)
            self._loss.show_report(report)
            self._paper.setText(self._of_the_paper(report.paper))
        self.show_kind(self._kind)

    def show_running(self, running: bool) -> None:
        """Whether the four are at work now; the button then stops them."""
        self._running = running
        self._button.setText(self.tr("Stop") if running else self.tr("Run it through all four"))
        self._prompt.setEnabled(not running)

    def is_running(self) -> bool:
        """Whether the four are at work now."""
        return self._running

    def show_curves(self, curves: dict[str, Growth], texts: dict[str, str]) -> None:
        """What the comparison has measured so far, and what the four said once it is done."""
        self._curves = curves
        self._growth.show_curves(curves)
        for kind, label in self._quotes.items():
            said = texts.get(kind)
            label.set_full_text("" if said is None else f"{name_of(kind)}: {said.replace(chr(10), '↵')}")
        self._show_reads()

    def show_kind(self, kind: str) -> None:
        """Which model's counts are drawn; its row in the table is marked."""
        self._kind = kind
        self._table.show_kind(kind)
        self._show_reads()

    def clear(self, hint: str | None = None) -> None:
        """The empty state."""
        self._report = None
        self.show_hint(
            hint or self.tr("Four models that differ in attention alone, and what that costs and brings, appear here.")
        )

    def prompt(self) -> str:
        """The text that would be run."""
        return self._prompt.text()

    def _body(self) -> QWidget:
        body = QWidget(self)
        grid = QGridLayout(body)
        grid.setContentsMargins(12, 4, 12, 10)
        grid.setHorizontalSpacing(16)
        grid.setVerticalSpacing(4)
        grid.addWidget(self._table, 0, 0, 1, 2)
        grid.addWidget(self._paper, 1, 0, 1, 2)
        row = QHBoxLayout()
        row.addWidget(self._prompt, 1)
        row.addWidget(self._button)
        grid.addLayout(row, 2, 0, 1, 2)
        for column, text in enumerate(
            (
                self.tr("HELD-OUT BITS PER BYTE OVER KV BYTES PER TOKEN · DOT: SEED, RING: MEAN"),
                self.tr("KV CACHE WHILE THE PROMPT RUNS, MEASURED · THIN: WITHOUT RESERVE"),
            )
        ):
            grid.addWidget(_heading(text, self), 3, column)
        grid.addWidget(self._loss, 4, 0)
        grid.addWidget(self._growth, 4, 1)
        grid.addWidget(_heading(self.tr("WHY IS Q NOT CACHED?"), self), 5, 0)
        grid.addWidget(_heading(self.tr("READ AGAIN, BY TOKEN, OF THE MARKED ROW'S MODEL"), self), 5, 1)
        left = QWidget(self)
        words = QGridLayout(left)
        words.setContentsMargins(0, 0, 0, 0)
        words.addWidget(self._answer, 0, 0)
        for place, label in enumerate(self._quotes.values()):
            label.setProperty("role", "muted")
            words.addWidget(label, 1 + place, 0)
        words.setRowStretch(5, 1)
        grid.addWidget(left, 6, 0)
        grid.addWidget(self._reads, 6, 1)
        grid.setRowStretch(4, 3)
        grid.setRowStretch(6, 2)
        for column in (0, 1):
            grid.setColumnStretch(column, 1)
        return body

    def _connect(self) -> None:
        self._button.clicked.connect(self._press)
        self._prompt.returnPressed.connect(self._press)
        self._table.kind_chosen.connect(self.show_kind)
        self._table.hovered_text.connect(self.hovered_text)
        self._growth.hovered.connect(self._hover)
        self._reads.hovered.connect(self._hover)
        for plot in (self._growth, self._reads, self._loss):
            plot.left.connect(lambda: self.hovered_text.emit(""))
        self._loss.hovered.connect(lambda _place: self.hovered_text.emit(self._table.line(self._kind)))

    def _press(self) -> None:
        if self._running:
            self.stop_wanted.emit()
        else:
            self.compare_wanted.emit(self._prompt.text())

    def _show_reads(self) -> None:
        growth = self._curves.get(self._kind)
        self._reads.show_growth(growth)
        self._answer.setText(answer(growth, self._kind))
        if self._report is not None:
            self.show_sentence(self._summary(self._report))

    def _summary(self, report: StudyReport) -> str:
        seeds = self.tr("{} seeds").format(len(report.seeds)) if len(report.seeds) > 1 else self.tr("one seed")
        told = self.tr("4 models, attention alone differs · {tokens} tokens each · {seeds} · trained on {device}")
        text = told.format(tokens=f"{report.tokens:,}", seeds=seeds, device=report.trained_on)
        growth = self._curves.get(self._kind)
        return text if growth is None or not growth.held else f"{text} · {curve_line(growth, self._kind)}"

    def _of_the_paper(self, rows: list[PaperRow]) -> str:
        told = [
            f"{row.table}, {row.what}: " + ", ".join(f"{kind.upper()} {value}" for kind, value in row.values.items())
            for row in rows
        ]
        return self.tr("The DeepSeek-V2 paper's own numbers, not measured here: ") + " · ".join(told)

    def _hover(self, place: QPointF) -> None:
        tokens = round(place.x())
        lines = [curve_line(growth, kind, at=tokens) for kind, growth in self._curves.items() if growth.held]
        self.hovered_text.emit(" · ".join(line for line in lines if line))


def _heading(text: str, parent: QWidget) -> QWidget:
    label = ElidedLabel(text, parent)
    label.setProperty("role", "section")
    return label


def _paragraph(parent: QWidget) -> QLabel:
    label = QLabel("", parent)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setWordWrap(True)
    label.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)
    label.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Maximum)
    return label
