"""The window's widgets, built once and named. No wiring, no placing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from app.docks import DockArea
from widgets.attention.attention_view import AttentionView
from widgets.checkpoint_sheet import CheckpointSheet
from widgets.compare.compare_view import CompareView
from widgets.devices.devices_view import DevicesView
from widgets.heads.heads_view import HeadsView
from widgets.latents.latents_view import LatentsView
from widgets.memory.memory_view import MemoryView
from widgets.model_card import ModelCard
from widgets.notice_bar import NoticeBar
from widgets.palette import DARK, Palette
from widgets.panel import Panel
from widgets.prompt.prompt_panel import PromptPanel
from widgets.routing.routing_view import RoutingView
from widgets.selection import Selection
from widgets.status_line import StatusLine
from widgets.sums.sums_view import SumsView
from widgets.timeline import Timeline
from widgets.token_strip import TokenStrip
from widgets.top_bar import TopBar
from widgets.tour_bar import TourBar

if TYPE_CHECKING:
    from widgets.study.study_view import StudyView


class Parts(QObject):
    """Every widget of the window, and what is done to all of them alike."""

    def __init__(self, *, docked: bool = True) -> None:
        super().__init__()
        self.attention = AttentionView()
        self.heads = HeadsView()
        self.compare = CompareView()
        self.latents = LatentsView()
        self.sums = SumsView()
        self.routing = RoutingView()
        self.devices = DevicesView()
        self.memory = MemoryView()
        self._palette = DARK
        self._study: StudyView | None = None
        self.strip = TokenStrip()
        self.timeline = Timeline()
        self.prompt = PromptPanel()
        self.top = TopBar()
        self.status = StatusLine()
        self.notices = NoticeBar()
        self.sheet = CheckpointSheet()
        self.tour = TourBar()
        self.card = ModelCard()
        if docked:
            self.docks = DockArea(
                ((self.attention, self.routing), (self.devices, self.memory)),
                behind=(self.heads, self.compare, self.latents, self.sums),
            )

    @property
    def views(self) -> dict[str, Panel]:
        """The views by the names that `render` and the export menu use."""
        return {
            "attention": self.attention,
            "heads": self.heads,
            "compare": self.compare,
            "latents": self.latents,
            "sums": self.sums,
            "routing": self.routing,
            "load": self.devices,
            "memory": self.memory,
        }

    @property
    def study(self) -> StudyView:
        """The attention study, made when it is first wanted: few runs of the program look at it."""
        if self._study is None:
            from widgets.study.study_view import StudyView

            self._study = StudyView()
            self._study.show_palette(self._palette)
        return self._study

    @property
    def has_study(self) -> bool:
        """Whether anybody has wanted it yet."""
        return self._study is not None

    @property
    def export_titles(self) -> dict[str, str]:
        """The names of everything with a picture and numbers of its own: the views, and the attention study."""
        return {**{name: view.title() for name, view in self.views.items()}, "study": self.tr("Attention study")}

    def exported(self, name: str) -> Panel:
        """What a name of `export_titles` means."""
        return self.study if name == "study" else self.views[name]

    def show_palette(self, palette: Palette) -> None:
        """Hand the palette to everything that paints itself."""
        painted = (*self.views.values(), self.strip, self.timeline, self.prompt, self.top, self.status)
        self._palette = palette
        for widget in (*painted, self._study, self.notices, self.sheet, self.tour, self.card):
            show = getattr(widget, "show_palette", None)  # widgets of plain Qt controls are dressed by the style sheet
            if show is not None:
                show(palette)

    def show_selection(self, selection: Selection) -> None:
        """One selection for every view."""
        for view in (self.attention, self.heads, self.compare, self.latents, self.sums):
            view.show_selection(selection)
        self.routing.show_selection(selection)
        self.strip.show_selection(selection)
        self.timeline.show_selection(selection)

    def show_counts_selection(self, selection: Selection) -> None:
        """The same selection for devices and KV memory, which follow a frame later when a first run begins."""
        self.devices.show_selection(selection)
        self.memory.show_selection(selection)
