"""The tour: it types a stop's prompt, runs it, and selects what is to be seen, as a person would."""

from dataclasses import replace

from PySide6.QtCore import QObject, Signal

from app.bundled import BUNDLED
from app.parts import Parts
from app.session import Session
from app.state import Choices, State
from app.tour_words import sentence, title, view_of
from model.config import Sampling
from model.tour import Stop, Tour

GREEDY = Sampling()


class Touring(QObject):
    """Where the tour is. It waits for the engine without ever blocking; a person may do anything meanwhile.

    Signals: `looked_at(str)`: the name of the view a stop is about, empty when the tour is over.
    """

    looked_at = Signal(str)

    def __init__(self, session: Session, parts: Parts, tour: Tour | None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session, self._parts, self._tour = session, parts, tour
        self._at: int | None = None
        self._request = 0  # of the stop's run; 0: not asked for yet
        self._placed = False  # whether the selection was set; from then on it is the person's
        self._opening = self._stopping = False
        session.changed.connect(lambda _before, state: self._go_on(state))
        parts.tour.next_wanted.connect(self.next)
        parts.tour.back_wanted.connect(self.back)
        parts.tour.leave_wanted.connect(self.leave)

    @property
    def available(self) -> bool:
        """Whether there is a tour to take."""
        return bool(self.stops)

    @property
    def stops(self) -> list[Stop]:
        """All stops; none without a tour."""
        return self._tour.stops if self._tour is not None else []

    @property
    def at(self) -> int | None:
        """The stop's number from 0; None: nobody is on tour."""
        return self._at

    @property
    def arrived(self) -> bool:
        """Whether the stop's selection was made."""
        return self._placed

    def toggle(self) -> None:
        """Begin the tour, or leave it."""
        if self._at is None:
            self._show(0)
        else:
            self.leave()

    def next(self) -> None:
        """Go to the next stop; nothing happens at the last."""
        self._show(0 if self._at is None else self._at + 1)

    def back(self) -> None:
        """Go to the stop before."""
        if self._at:
            self._show(self._at - 1)

    def leave(self) -> None:
        """Take the bar away; what is shown stays."""
        self._at = None
        self._parts.tour.hide()
        self.looked_at.emit("")

    def _show(self, number: int) -> None:
        if self._tour is None or not 0 <= number < len(self._tour.stops):
            return
        self._at, self._request = number, 0
        self._placed = self._opening = self._stopping = False
        stop = self._tour.stops[number]
        self._parts.prompt.show_style("raw")
        self._parts.prompt.set_prompt(stop.prompt)
        self._parts.prompt.show_sampling(GREEDY, max_new_tokens=max(stop.new_tokens, 1))
        self._parts.tour.show_stop(number + 1, len(self._tour.stops), title=title(stop), sentence=sentence(stop))
        self.looked_at.emit(view_of(stop))
        self._go_on(self._session.state)

    def _go_on(self, state: State) -> None:
        """The next thing that can be done for this stop."""
        if self._at is None or self._placed or self._tour is None:
            return
        stop = self._tour.stops[self._at]
        if self._request:
            self._look(state, stop)
        elif state.model is None or state.model.summary.path != str(BUNDLED):
            if not self._opening and (state.loading is None or state.loading.path != str(BUNDLED)):
                self._session.open_checkpoint(str(BUNDLED))
            self._opening = True
        elif state.running:
            if not self._stopping:
                self._session.stop()
            self._stopping = True
        else:
            self._session.submit(stop.prompt, max_new_tokens=stop.new_tokens, sampling=GREEDY)
            self._request = self._session.state.running

    def _look(self, state: State, stop: Stop) -> None:
        """Select what the stop is about as soon as the prompt has been read."""
        run = next((run for run in state.runs if run.request == self._request), None)
        if run is None or run.tokens < run.info.prompt_tokens or run.info.run != state.current:
            return
        self._placed = True
        for name, value in _choices(stop).items():
            self._session.choose(name, value)
        selection = state.selection
        self._session.go_to(
            replace(
                selection,
                token=selection.token if stop.token is None else stop.token,
                layer=stop.layer,
                head=selection.head if stop.head is None else stop.head,
                expert=stop.expert,
                device=None,
            ),
            following=stop.token is None,
        )


def _choices(stop: Stop) -> dict[str, object]:
    """How the views have to look at the stop."""
    plain = Choices()
    names = {"expert": "expert", "devices": "device"}
    chosen: dict[str, object] = {"measure": names.get(stop.kind, "surprise"), "quantity": "probability"}
    if stop.kind == "expert":
        chosen["routing_mode"] = "tokens"
    if stop.kind == "devices":
        chosen |= {"devices_mode": "load", "devices": 0, "placement": plain.placement}
    if stop.kind == "memory":
        chosen["memory_measure"] = "per token"
    return chosen
