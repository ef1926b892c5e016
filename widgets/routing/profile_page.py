"""The expert profile of one layer: domains × experts by lift, and the selected expert's domains and tokens."""

from PySide6.QtCore import QEvent, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QFont, QImage, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from widgets.palette import DARK, Palette, coloured, diverging_table
from widgets.routing.profile_data import LayerDomains, log_lifts
from widgets.routing.profile_layout import MARGIN, NAMES, NUMBER, ProfileLayout, lay_out
from widgets.token_text import visible

TEXT_PIXELS = 11
MOST_LOG_LIFT = 2.0  # four times as often, or a quarter: the ends of the colours
CHIP_HEIGHT, CHIP_GAP, CHIP_PAD = 20.0, 6.0, 7.0
FROM_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
FROM_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
CENTRE = Qt.AlignmentFlag.AlignCenter


class ProfilePage(QWidget):
    """Click a column, or use the arrows, to select an expert.

    Signals: `expert_chosen(int)`; `hovered_text(str)`, empty when the mouse leaves.
    """

    expert_chosen = Signal(int)
    hovered_text = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName(self.tr("Expert profile"))
        self._palette = DARK
        self._layer: LayerDomains | None = None
        self._expert: int | None = None
        self._image: QImage | None = None

    def show_layer(self, layer: LayerDomains | None) -> None:
        """Show a layer's profile."""
        if layer is not self._layer:
            self._layer, self._image = layer, None
            self.update()

    def show_expert(self, expert: int | None) -> None:
        """Show this expert's domains and tokens; None: none is selected."""
        if expert != self._expert:
            self._expert = expert
            self.update()

    def show_palette(self, palette: Palette) -> None:
        """Take other colours."""
        self._palette, self._image = palette, None
        self.update()

    def chips(self) -> list[tuple[str, str]]:
        """The selected expert's typical tokens and their lifts, as they are written."""
        layer, expert = self._layer, self._expert
        if layer is None or expert is None or expert >= layer.experts:
            return []
        return [(visible(token.text), f"×{token.lift:.1f}") for token in layer.typical[expert]]

    # Painting

    def paintEvent(self, _event: QPaintEvent) -> None:
        layer = self._layer
        if layer is None:
            return
        painter = QPainter(self)
        font = QFont(painter.font())
        font.setPixelSize(TEXT_PIXELS)
        painter.setFont(font)
        place = self._place(layer)
        self._paint_cells(painter, layer, place)
        self._paint_names(painter, layer, place)
        self._paint_numbers(painter, place)
        if self._expert is None or self._expert >= layer.experts:
            painter.setPen(self._palette.colour("muted"))
            told = self.tr("Click an expert: its domains appear here as bars, its typical tokens below.")
            painter.drawText(place.bars.adjusted(0, 0, NUMBER, 0), CENTRE | Qt.TextFlag.TextWordWrap, told)
            return
        self._paint_bars(painter, layer, place, self._expert)
        self._paint_chips(painter, place)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, on=False)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(self._palette.colour("accent"), 1.0))
        column = place.cell(self._expert, 0).united(place.cell(self._expert, layer_last(layer)))
        painter.drawRect(column.adjusted(-1, -1, 0, 0))

    def _place(self, layer: LayerDomains) -> ProfileLayout:
        return lay_out(self.width(), self.height(), experts=layer.experts, domains=len(layer.domains))

    def _paint_cells(self, painter: QPainter, layer: LayerDomains, place: ProfileLayout) -> None:
        if self._image is None:
            masked = self._palette.colour("background")
            pixels = coloured(
                log_lifts(layer).T.copy(), diverging_table(), low=-MOST_LOG_LIFT, high=MOST_LOG_LIFT, masked=masked
            )
            height, width = pixels.shape[:2]
            self._image = QImage(pixels.data, width, height, 4 * width, QImage.Format.Format_RGBA8888).copy()
        painter.drawImage(place.cells, self._image)
        gap = QPen(self._palette.colour("surface"), 1.0)
        painter.setPen(gap)
        if place.cells.width() / place.experts >= 6:
            for expert in range(1, place.experts):
                left = round(place.cell(expert, 0).left())
                painter.drawLine(QPointF(left, place.cells.top()), QPointF(left, place.cells.bottom()))
        for domain in range(1, place.domains):
            top = round(place.row(domain)[0])
            painter.drawLine(QPointF(place.cells.left(), top), QPointF(place.cells.right(), top))

    def _paint_names(self, painter: QPainter, layer: LayerDomains, place: ProfileLayout) -> None:
        strongest = layer.strongest(self._expert) if self._expert is not None and self._expert < layer.experts else -1
        for domain, name in enumerate(layer.domains):
            top, height = place.row(domain)
            if height < TEXT_PIXELS - 1 and domain % 2:
                continue
            painter.setPen(self._palette.colour("text" if domain == strongest else "muted"))
            shown = painter.fontMetrics().elidedText(visible(name), Qt.TextElideMode.ElideRight, NAMES - 8)
            painter.drawText(QRectF(MARGIN, top, NAMES - 8, height), FROM_RIGHT, shown)

    def _paint_numbers(self, painter: QPainter, place: ProfileLayout) -> None:
        """The experts' numbers, as many as there is room for, always the selected one's."""
        width = place.cells.width() / place.experts
        step = next((step for step in (1, 2, 4, 8, 16, 32, 64, 128) if step * width >= 22), 256)
        for expert in range(place.experts):
            chosen = expert == self._expert
            if expert % step and not chosen:
                continue
            if not chosen and self._expert is not None and abs(expert - self._expert) * width < 20:
                continue
            centre = place.cell(expert, 0).center().x()
            painter.setPen(self._palette.colour("accent" if chosen else "muted"))
            painter.drawText(QRectF(centre - 20, 2, 40, place.cells.top() - 4), CENTRE, str(expert))

    def _paint_bars(self, painter: QPainter, layer: LayerDomains, place: ProfileLayout, expert: int) -> None:
        rates, overall = layer.rates[expert], float(layer.overall[expert])
        full = max(float(rates.max()), 1e-9)
        for domain in range(place.domains):
            top, height = place.row(domain)
            share = float(rates[domain])
            above = share > overall
            painter.fillRect(place.bar(domain, share, full=full), self._palette.colour("accent", 0.9 if above else 0.4))
            if height >= TEXT_PIXELS - 1:
                painter.setPen(self._palette.colour("text" if above else "muted"))
                figure = QRectF(place.bars.right() + 2, top, NUMBER - 2, height)
                painter.drawText(figure, FROM_RIGHT, f"{100 * share:.0f} %")
        mean = round(place.bars.left() + place.bars.width() * overall / full)
        painter.setPen(QPen(self._palette.colour("text"), 1.0, Qt.PenStyle.DashLine))
        painter.drawLine(QPointF(mean, place.bars.top() - 3), QPointF(mean, place.bars.bottom()))
        painter.setPen(self._palette.colour("muted"))
        told = self.tr("{share} % of all").format(share=f"{100 * overall:.0f}")
        painter.drawText(
            QRectF(place.bars.left(), 2, place.bars.width() + NUMBER, place.cells.top() - 6), FROM_RIGHT, told
        )

    def _paint_chips(self, painter: QPainter, place: ProfileLayout) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        metrics, x, y = painter.fontMetrics(), place.tokens.left(), place.tokens.top()
        chips = self.chips()
        if not chips:
            painter.setPen(self._palette.colour("muted"))
            painter.drawText(place.tokens, FROM_LEFT, self.tr("No token goes to this expert clearly more than others."))
            return
        for text, lift in chips:
            words, figure = metrics.horizontalAdvance(text), metrics.horizontalAdvance(lift)
            width = words + figure + 5 + 2 * CHIP_PAD
            if x + width > place.tokens.right():
                x, y = place.tokens.left(), y + CHIP_HEIGHT + CHIP_GAP
            if y + CHIP_HEIGHT > self.height():
                return
            chip = QRectF(x, y, width, CHIP_HEIGHT)
            painter.setPen(QPen(self._palette.colour("line"), 1.0))
            painter.setBrush(self._palette.colour("raised"))
            painter.drawRoundedRect(chip.adjusted(0.5, 0.5, -0.5, -0.5), 4, 4)
            painter.setPen(self._palette.colour("text"))
            painter.drawText(chip.adjusted(CHIP_PAD, 0, 0, 0), FROM_LEFT, text)
            painter.setPen(self._palette.colour("muted"))
            painter.drawText(chip.adjusted(0, 0, -CHIP_PAD, 0), FROM_RIGHT, lift)
            x += width + CHIP_GAP

    # What a person does

    def mousePressEvent(self, event: QMouseEvent) -> None:
        found = self._under(event)
        if found is not None and found[0] is not None and event.button() == Qt.MouseButton.LeftButton:
            self.expert_chosen.emit(found[0])

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        found = self._under(event)
        self.hovered_text.emit("" if found is None else self._told(*found))

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self.hovered_text.emit("")

    def keyPressEvent(self, event: QKeyEvent) -> None:
        steps = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}
        if self._layer is None or event.key() not in steps:
            super().keyPressEvent(event)
            return
        before = -1 if self._expert is None else self._expert
        wanted = min(max(before + steps[Qt.Key(event.key())], 0), self._layer.experts - 1)
        if wanted != self._expert:
            self.expert_chosen.emit(wanted)

    def _under(self, event: QMouseEvent) -> tuple[int | None, int] | None:
        if self._layer is None:
            return None
        return self._place(self._layer).at(event.position().x(), event.position().y())

    def _told(self, expert: int | None, domain: int) -> str:
        layer = self._layer
        assert layer is not None
        expert = self._expert if expert is None else expert
        if expert is None or expert >= layer.experts:
            return ""
        told = self.tr("layer {0} · expert {1}: chosen by {2} % of {3}'s {4:,} tokens, {5} % over all domains")
        share, overall = 100 * float(layer.rates[expert, domain]), 100 * float(layer.overall[expert])
        name = visible(layer.domains[domain])
        return told.format(layer.layer, expert, f"{share:.1f}", name, layer.domain_tokens[domain], f"{overall:.1f}")


def layer_last(layer: LayerDomains) -> int:
    """The last domain's number."""
    return len(layer.domains) - 1
