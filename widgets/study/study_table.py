"""The study's table: the four attentions a row each, their figures in columns, painted."""

from dataclasses import dataclass
from statistics import mean

from PySide6.QtCore import QCoreApplication, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFontMetricsF, QKeyEvent, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

from model.study_report import StudiedModel, StudyReport
from widgets.figures import tabular
from widgets.palette import DARK, Palette
from widgets.study.data import KINDS

ROW, HEAD = 26, 34
NAME_WIDTH = 132
DOT = 4.0


@dataclass(frozen=True, slots=True)
class Column:
    """A heading of two short lines, and the text of one model."""

    heading: tuple[str, str]
    cells: dict[str, str]


def name_of(kind: str) -> str:
    """What people call an attention."""
    return {"mha": "MHA", "gqa": tr("GQA, 2 groups"), "mqa": "MQA", "mla": "MLA"}.get(kind, kind.upper())


def columns_of(report: StudyReport) -> list[Column]:
    """All figures of the report as they are read: the fewest digits that still tell."""
    models = {model.kind: model for model in report.models}

    def column(first: str, second: str, text: dict[str, str]) -> Column:
        return Column((first, second), text)

    return [
        column(tr("parameters"), tr("total"), {k: f"{m.parameters:,}" for k, m in models.items()}),
        column(tr("KV bytes/token"), tr("by formula"), {k: f"{m.kv_bytes_formula:,}" for k, m in models.items()}),
        column(tr("KV bytes/token"), tr("measured"), {k: f"{m.kv_bytes_measured:,.0f}" for k, m in models.items()}),
        column(tr("held-out"), tr("bits/byte"), {k: spread(m.bits_per_byte, 4) for k, m in models.items()}),
        column(tr("best induction"), tr("head, weight"), {k: spread(m.induction, 2) for k, m in models.items()}),
        column(tr("tokens/s at"), tr("64 tokens"), {k: _speed(m, "64") for k, m in models.items()}),
        column(tr("tokens/s at"), tr("2,048 tokens"), {k: _speed(m, "2048") for k, m in models.items()}),
    ]


def spread(values: list[float], digits: int) -> str:
    """The mean over seeds ± half the distance between the extremes."""
    told = f"{mean(values):.{digits}f}"
    return told if len(values) < 2 else f"{told} ± {(max(values) - min(values)) / 2:.{digits}f}"


class StudyTable(QWidget):
    """Rows can be chosen by mouse and arrow keys; the chosen one's figures by domain are the tooltip's.

    Signals: `kind_chosen(str)`, `hovered_text(str)`.
    """

    kind_chosen = Signal(str)
    hovered_text = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._palette = DARK
        self._report: StudyReport | None = None
        self._columns: list[Column] = []
        self._chosen = "mla"
        self.setFont(tabular(self.font()))
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName(self.tr("Figures of the four attentions"))
        self.setFixedHeight(HEAD + ROW * len(KINDS) + 6)

    def show_palette(self, palette: Palette) -> None:
        """Take the theme's colours."""
        self._palette = palette
        self.update()

    def show_report(self, report: StudyReport) -> None:
        """Draw these figures."""
        self._report, self._columns = report, columns_of(report)
        self.setAccessibleDescription("; ".join(self.line(kind) for kind in KINDS))
        self.update()

    def show_kind(self, kind: str) -> None:
        """Mark one row."""
        self._chosen = kind
        self.update()

    def line(self, kind: str) -> str:
        """One row as a sentence, with its bits per byte by domain."""
        model = self._model(kind)
        if model is None:
            return ""
        figures = ", ".join(f"{' '.join(column.heading)} {column.cells[kind]}" for column in self._columns)
        texts = ", ".join(f"{domain} {mean(values):.3f}" for domain, values in model.held_out.items())
        return self.tr("{name}: {figures} · bits per byte by domain: {texts}").format(
            name=name_of(kind), figures=figures, texts=texts
        )

    def sizeHint(self) -> QSize:
        return QSize(720, self.height())

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(self.font())
        width = (self.width() - NAME_WIDTH) / max(len(self._columns), 1)
        self._paint_marked(painter)
        for place, column in enumerate(self._columns):
            right = NAME_WIDTH + (place + 1) * width - 10
            painter.setPen(self._palette.colour("muted"))
            for line, text in enumerate(column.heading):
                self._right(painter, right, 4 + line * 14, width, text, 14)
            painter.setPen(self._palette.colour("text"))
            for row, kind in enumerate(KINDS):
                self._right(painter, right, HEAD + row * ROW, width, column.cells.get(kind, "–"), ROW)
        for row, kind in enumerate(KINDS):
            middle = HEAD + row * ROW + ROW / 2
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(self._palette.category(row))
            painter.drawEllipse(QPointF(16, middle), DOT, DOT)
            painter.setPen(self._palette.colour("text"))
            name = QRectF(28, middle - ROW / 2, NAME_WIDTH - 28, ROW)
            painter.drawText(name, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, name_of(kind))

    def _paint_marked(self, painter: QPainter) -> None:
        painter.setPen(self._palette.colour("line"))
        painter.drawLine(QPointF(0, HEAD - 0.5), QPointF(self.width(), HEAD - 0.5))
        if self._chosen in KINDS:
            painter.setPen(self._palette.colour("accent"))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            top = HEAD + KINDS.index(self._chosen) * ROW
            painter.drawRoundedRect(QRectF(0.5, top + 1.5, self.width() - 1, ROW - 3), 4, 4)

    def _right(self, painter: QPainter, right: float, top: float, width: float, text: str, height: float) -> None:
        shown = QFontMetricsF(painter.font()).elidedText(text, Qt.TextElideMode.ElideRight, width - 6)
        place = QRectF(right - width, top, width, height)
        painter.drawText(place, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, shown)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        kind = self._kind_at(event.position().y())
        self.hovered_text.emit(self.line(kind) if kind else "")

    def leaveEvent(self, _event: object) -> None:
        self.hovered_text.emit("")

    def mousePressEvent(self, event: QMouseEvent) -> None:
        kind = self._kind_at(event.position().y())
        if kind:
            self.kind_chosen.emit(kind)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        steps = {Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1}
        if event.key() not in steps:
            super().keyPressEvent(event)
            return
        place = min(max(KINDS.index(self._chosen) + steps[Qt.Key(event.key())], 0), len(KINDS) - 1)
        self.kind_chosen.emit(KINDS[place])

    def _kind_at(self, y: float) -> str:
        row = int((y - HEAD) // ROW)
        return KINDS[row] if self._report is not None and 0 <= row < len(KINDS) else ""

    def _model(self, kind: str) -> StudiedModel | None:
        models = self._report.models if self._report is not None else []
        return next((model for model in models if model.kind == kind), None)


def tr(text: str) -> str:
    """Headings and names, in the window's language."""
    return QCoreApplication.translate("study", text)


def _speed(model: StudiedModel, context: str) -> str:
    speed = model.tokens_per_second.get(context)
    return "–" if speed is None else f"{speed:,.0f}"
