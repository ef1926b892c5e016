"""One view of a recording as a picture, painted by the very widgets the window uses; needs no display."""

from dataclasses import dataclass, replace
from pathlib import Path

from PySide6.QtCore import QSize
from PySide6.QtWidgets import QApplication

from app import present
from app.bridge import EngineBridge
from app.derived import Counter
from app.export import save_picture
from app.parts import Parts
from app.questions import View
from app.session import Session
from app.state import State, select
from app.theme import apply_theme
from app.waiting import serve_for, wait_until
from model.placement import PlacementName
from model.problems import Problem
from widgets.palette import ThemeName, palette
from widgets.selection import Selection

VIEWS = ("attention", "routing", "load", "memory")


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """What to draw, how large (pixels, before `scale`), and where to."""

    view: str
    run: str
    out: Path
    layer: int | None = None
    head: int = 0
    token: int | None = None
    queries: tuple[int, int] | None = None
    keys: tuple[int, int] | None = None
    devices: int = 0
    placement: PlacementName = "contiguous"
    size: tuple[int, int] = (1600, 1000)
    scale: float = 1.0
    theme: ThemeName = "light"


def render(wanted: Picture) -> None:
    """Draw one view. Raises Problem for a run, a selector or a file that will not do."""
    application = QApplication.instance() or QApplication(["latent-loupe"])
    assert isinstance(application, QApplication)
    colours = palette(wanted.theme)
    apply_theme(application, colours)
    session, parts = Session(EngineBridge()), Parts()
    parts.show_palette(colours)
    view = parts.views[wanted.view]
    view.resize(QSize(*wanted.size))
    try:
        session.start_engine()
        _open(session, wanted)
        session.look_at(View(wanted.queries, wanted.keys, *_cells(wanted)))
        _settle(session, wanted)
        _present(parts, session.state)
        view.show()
        serve_for(0.05)  # layouts, and the graph's own thread
        _present(parts, session.state)
        save_picture(view, wanted.out, scale=wanted.scale, title=f"{view.title()}: {view.sentence()}")
    finally:
        session.close()
        view.close()


def _open(session: Session, wanted: Picture) -> None:
    session.open_recording(wanted.run)
    wait_until(lambda: bool(session.state.notices) or _opened(session.state), what=f"the recording {wanted.run}")
    if session.state.notices and not _opened(session.state):
        raise Problem(session.state.notices[-1].text)
    run = session.state.run
    assert run is not None
    config = run.info.config
    first = config.moe_layers[0] if config.moe_layers else 0
    layer = first if wanted.layer is None else wanted.layer
    for name, value, count in (("layer", layer, config.layers), ("head", wanted.head, config.heads)):
        if not 0 <= value < count:
            raise Problem(f"--{name} {value} is not in this run; it has {name}s 0 to {count - 1}.")
    token = run.tokens - 1 if wanted.token is None else wanted.token
    choices = replace(session.state.choices, devices=wanted.devices, placement=wanted.placement)
    session.state = select(
        replace(session.state, choices=choices, following=False), Selection(token=token, layer=layer, head=wanted.head)
    )


def _opened(state: State) -> bool:
    return state.run is not None and state.run.finished is not None


def _settle(session: Session, wanted: Picture) -> None:
    """Wait for the engine's answers that this view needs."""
    run = session.state.run
    assert run is not None
    session.ask_now()
    if wanted.view == "attention" and run.info.attention_available:
        wait_until(lambda: _answered(session.state), what="the attention map")


def _answered(state: State) -> bool:
    shown = state.shown
    return shown.attention is not None and shown.gallery is not None and shown.row is not None


def _cells(wanted: Picture) -> tuple[int, int]:
    edge = max(64, min(wanted.size))
    return edge, edge


def _present(parts: Parts, state: State) -> None:
    counter = Counter()
    present.show_attention(parts.attention, state)
    present.show_routing(parts.routing, state, counter)
    present.show_devices(parts.devices, state, counter)
    present.show_memory(parts.memory, state)
