"""The compare panel: up to four pinned heads side by side with one zoom, or the difference of the first two."""

from collections.abc import Sequence

from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import QGridLayout, QPushButton, QWidget

from widgets.attention.attention_map import MapPlot
from widgets.attention.data import AttentionMap, WantedRange
from widgets.attention.readout import cell_text, stage_text
from widgets.compare.data import MOST_PINS, PinnedHead
from widgets.compare.pin_card import PinCard
from widgets.palette import Palette
from widgets.panel import Panel
from widgets.segmented import Segmented
from widgets.selection import Selection

THROTTLE_MILLISECONDS = 60


class CompareView(Panel):
    """Pinned heads.

    Signals: `pin_wanted()` for the head in view, `unpin_wanted(int)`, `pin_opened(int)`; `mode_chosen(str)`, side or
    difference; `token_chosen(int)`; `range_wanted(object)`, a WantedRange; `hovered_text(str)`.
    """

    pin_wanted = Signal()
    unpin_wanted = Signal(int)
    pin_opened = Signal(int)
    mode_chosen = Signal(str)
    token_chosen = Signal(int)
    range_wanted = Signal(object)
    hovered_text = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(self.tr("Compare"), parent)
        self._pins: tuple[PinnedHead, ...] = ()
        self._texts: Sequence[str] = ()
        self._mode = "side"
        self._asked: WantedRange | None = None
        self._pin = QPushButton(self.tr("Pin head"))
        self._pin.setToolTip(self.tr("Pin the head in view, four at most (Ctrl+K)"))
        self._modes = Segmented([("side", self.tr("side by side")), ("difference", self.tr("difference"))])
        self.add_tool(self._pin)
        self.add_tool(self._modes)
        self._cards = [PinCard() for _ in range(MOST_PINS)]
        self._difference = PinCard()
        body = QWidget()
        self._grid = QGridLayout(body)
        self._grid.setContentsMargins(4, 6, 4, 4)
        self._grid.setSpacing(6)
        for index, card in enumerate(self._cards):
            self._grid.addWidget(card, index // 2, index % 2)
        self._grid.addWidget(self._difference, 0, 0, 2, 2)
        self.set_body(body)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(THROTTLE_MILLISECONDS)
        self._connect()
        self.clear()

    def show_pins(self, pins: tuple[PinnedHead, ...]) -> None:
        """The heads to compare; none shows a hint."""
        if pins != self._pins:
            for index, card in enumerate(self._cards):
                kept = index < len(pins) and index < len(self._pins) and _same(pins[index], self._pins[index])
                if not kept:
                    card.plot.clear()
                    card.show_stage("")
            if [_place(pin) for pin in pins[:2]] != [_place(pin) for pin in self._pins[:2]]:
                self._difference.plot.clear()
            self._pins = pins
        self._arrange()

    def show_tokens(self, texts: Sequence[str]) -> None:
        """The tokens of the run in view; maps of other runs are as long as those runs."""
        self._texts = texts
        for pin, card in zip(self._pins, self._cards, strict=False):
            card.plot.show_tokens(_cut(texts, pin.tokens))
        if len(self._pins) >= 2:
            self._difference.plot.show_tokens(_cut(texts, min(pin.tokens for pin in self._pins[:2])))

    def show_map(self, index: int, shown: AttentionMap) -> None:
        """The map of one pinned head."""
        self._cards[index].plot.show_map(shown)
        self._cards[index].show_stage("" if shown.stage is None else stage_text(shown.stage))
        self._say()

    def show_difference(self, shown: AttentionMap) -> None:
        """The first pinned head minus the second."""
        self._difference.plot.show_map(shown)
        self._difference.show_stage("" if shown.stage is None else stage_text(shown.stage))
        self._say()

    def show_mode(self, mode: str) -> None:
        """Side by side, or their difference."""
        self._mode = mode
        self._modes.show_choice(mode)
        self._arrange()

    def show_selection(self, selection: Selection) -> None:
        """Frame the selected query everywhere."""
        for plot in self._plots():
            plot.show_query(selection.token)

    def show_palette(self, palette: Palette) -> None:
        """Take the colours."""
        for plot in self._plots():
            plot.show_palette(palette)

    def clear(self, hint: str = "") -> None:
        """Forget all maps; the hint says what will appear."""
        self._pins, self._asked = (), None
        for card in (*self._cards, self._difference):
            card.plot.clear()
        self._modes.set_option_enabled("difference", False)
        self.show_hint(
            hint
            or self.tr("Up to four heads side by side with one zoom, or the difference of two: pin the head in view.")
        )

    def wanted(self) -> WantedRange:
        """The cells in view now."""
        return self._leader().wanted()

    def _connect(self) -> None:
        self._pin.clicked.connect(self.pin_wanted)
        self._modes.chosen.connect(self.mode_chosen)
        for index, card in enumerate(self._cards):
            card.unpin_wanted.connect(lambda index=index: self.unpin_wanted.emit(index))
            card.opened.connect(lambda index=index: self.pin_opened.emit(index))
        for plot in self._plots():
            plot.query_chosen.connect(self.token_chosen)
            plot.view_moved.connect(lambda plot=plot: self._follow(plot))
            plot.cell_hovered.connect(lambda cell, plot=plot: self._tell(plot, cell))
        self._timer.timeout.connect(self._ask)

    def _plots(self) -> list[MapPlot]:
        return [card.plot for card in (*self._cards, self._difference)]

    def _leader(self) -> MapPlot:
        return self._difference.plot if self._mode == "difference" else self._cards[0].plot

    def _arrange(self) -> None:
        self._modes.set_option_enabled("difference", len(self._pins) >= 2)
        self._pin.setEnabled(len(self._pins) < MOST_PINS)
        difference = self._mode == "difference" and len(self._pins) >= 2
        several = len({pin.run for pin in self._pins}) > 1
        for index, card in enumerate(self._cards):
            card.setVisible(not difference and index < len(self._pins))
            if index < len(self._pins):
                card.show_name(self._pins[index].name(with_run=several))
        wide = self.width() > 1.4 * self.height()
        for index, card in enumerate(self._cards):
            row, column = (0, index) if wide and len(self._pins) <= 3 else divmod(index, 2)
            self._grid.addWidget(card, row, column)
        self._difference.setVisible(difference)
        if difference:
            self._difference.show_name(" − ".join(pin.name(with_run=several) for pin in self._pins[:2]), closable=False)
        if self._pins:
            self._say()
            self._timer.start()

    def _follow(self, moved: MapPlot) -> None:
        for plot in self._plots():
            if plot is not moved:
                plot.show_zoom(moved.zoom())
        if not self._timer.isActive():
            self._timer.start()

    def _ask(self) -> None:
        wanted = self.wanted()
        if self._pins and self._texts and wanted != self._asked:
            self._asked = wanted
            self.range_wanted.emit(wanted)

    def _say(self) -> None:
        several = len({pin.run for pin in self._pins}) > 1
        names = [pin.name(with_run=several) for pin in self._pins]
        if self._mode == "difference" and len(names) >= 2:
            self.show_sentence(self.tr("probabilities of {0} minus {1}, centred at 0").format(*names[:2]))
        else:
            self.show_sentence(self.tr("probabilities of {0}").format(", ".join(names)))

    def _tell(self, plot: MapPlot, cell: tuple[int, int] | None) -> None:
        shown = plot.shown_map()
        told = "" if cell is None or shown is None else cell_text(shown, self._texts, query=cell[0], key=cell[1])
        self.hovered_text.emit(told)


def _place(pin: PinnedHead) -> tuple[str, int, int]:
    return pin.run, pin.layer, pin.head


def _same(one: PinnedHead, other: PinnedHead) -> bool:
    return _place(one) == _place(other)


def _cut(texts: Sequence[str], tokens: int) -> Sequence[str]:
    """As many texts as the run has tokens; another run's tokens have no texts here, only positions."""
    return texts[:tokens] if tokens <= len(texts) else [*texts, *([""] * (tokens - len(texts)))]
