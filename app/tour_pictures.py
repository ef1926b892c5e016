"""The tour as pictures: one window walks through all stops, and shows the model card and an expert's profile."""

import tempfile
from functools import partial
from pathlib import Path

from PySide6.QtWidgets import QApplication

from app.export import save_picture
from app.session import Session
from app.tour_words import title
from app.waiting import serve_for, wait_until
from app.window_app import RunningWindow, WindowOptions
from model.problems import Problem
from model.tour import Stop
from widgets.palette import ThemeName

SIZE = (1600, 1000)


def take_tour(folder: Path, application: QApplication, *, theme: ThemeName, only: tuple[str, ...] = ()) -> list[Path]:
    """Paint every stop, or the first of some kinds, and the card and a profile; returns the files. Raises Problem."""
    files = []
    with tempfile.TemporaryDirectory() as place:
        running = RunningWindow(application, WindowOptions(), settings=Path(place) / "settings.json", theme=theme)
        window, session = running.window, running.session
        try:
            window.resize(*SIZE)
            window.show()
            wait_until(lambda: session.state.about is not None or bool(session.state.notices), what="the model")
            if session.state.about is None:
                raise Problem(session.state.notices[-1].text)
            wait_until(lambda: not session.state.proving, what="the proof")
            files.append(_card(running, folder))
            for number, stop in enumerate(window.touring.stops):
                (window.touring.toggle if number == 0 else window.touring.next)()
                name = stop.kind if only else f"{number + 1}-{stop.kind}"
                if (only and stop.kind not in only) or folder / f"tour-{name}.png" in files:
                    continue
                wait_until(partial(_settled, running, stop), what=f"the stop “{title(stop)}”")
                serve_for(0.2)
                files.append(folder / f"tour-{name}.png")
                save_picture(window, files[-1], scale=1, title=window.parts.tour.sentence())
                if stop.kind == "expert" and (folder / "profile.png") not in files:
                    files.append(_profile(running, folder))
        finally:
            running.end()
            window.close()
    return files


def _card(running: RunningWindow, folder: Path) -> Path:
    running.session.show_card(True)
    wait_until(running.window.parts.card.isVisible, what="the card")
    serve_for(0.2)
    save_picture(running.window, folder / "card.png", scale=1, title="model card")
    running.session.show_card(False)
    return folder / "card.png"


def _profile(running: RunningWindow, folder: Path) -> Path:
    """The profile of the expert that a stop has selected, by itself."""
    running.session.choose("routing_mode", "profile")
    serve_for(0.3)
    save_picture(running.window.menus.widget("routing"), folder / "profile.png", scale=1, title="expert profile")
    running.session.choose("routing_mode", "tokens")
    return folder / "profile.png"


def _settled(running: RunningWindow, stop: Stop) -> bool:
    """Whether the stop's run has ended and everything about its selection has arrived."""
    session: Session = running.session
    run, shown, selection = session.state.run, session.state.shown, session.state.selection
    if not running.window.touring.arrived or run is None or run.finished is None:
        return False
    if shown.attention is None or not shown.gallery or shown.row is None:
        return False
    place = (stop.layer, selection.head)
    return (
        shown.attention.queries[1] == run.tokens
        and (shown.attention.layer, shown.attention.heads[0]) == place
        and all(layer == stop.layer for layer, _head in shown.gallery)
        and (shown.row.layer, shown.row.head, shown.row.query) == (*place, selection.token)
    )
