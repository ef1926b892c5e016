"""One view of a recording as a picture, painted by the very widgets the window uses; needs no display."""

from dataclasses import dataclass, replace
from pathlib import Path

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import QApplication

from app import present, present_attention
from app.asking import View, Window
from app.bridge import EngineBridge
from app.derived import Counter
from app.export import save_picture
from app.parts import Parts
from app.qt_log import log_qt_messages
from app.runs import Run
from app.selecting import select
from app.session import Session
from app.state import State
from app.theme import apply_theme
from app.waiting import serve_for, wait_until
from model.placement import PlacementName
from model.problems import Problem
from widgets.attention.viewport import cell_size
from widgets.palette import ThemeName, palette
from widgets.selection import Selection

ANSWERS = {"attention": "the attention map", "heads": "the heads", "latents": "the latents", "sums": "the sums"}
SETTLE_SECONDS = 0.1  # for layouts, and for zooms that follow them


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """What to draw, how large (pixels, before `scale`), and where to."""

    view: str
    run: str
    out: Path
    layer: int | None = None
    head: int | None = None
    queries: tuple[int | None, int | None] = (None, None)
    keys: tuple[int | None, int | None] = (None, None)
    devices: int = 0
    placement: PlacementName = "contiguous"
    size: tuple[int, int] = (1600, 1000)
    scale: float = 1.0
    theme: ThemeName = "light"


def render(wanted: Picture) -> str:
    """Draw one view; returns its caption. Raises Problem for a run, a selector or a file that will not do."""
    log_qt_messages()
    application = QApplication.instance() or QApplication(["latent-loupe"])
    assert isinstance(application, QApplication)
    colours = palette(wanted.theme)
    apply_theme(application, colours)
    session, parts = Session(EngineBridge()), Parts(docked=False)
    parts.show_palette(colours)
    view = parts.views[wanted.view]
    view.setAttribute(Qt.WidgetAttribute.WA_DontShowOnScreen)
    view.resize(QSize(*wanted.size))
    try:
        session.start_engine()
        run = _open(session, wanted)
        _select(session, run, wanted)
        view.show()
        _draw(parts, session.state)
        session.ask_now()
        if wanted.view in ANSWERS and run.info.attention_available:
            wait_until(lambda: _answered(session, wanted.view), what=ANSWERS[wanted.view])
        _draw(parts, session.state)
        serve_for(SETTLE_SECONDS)
        caption = f"{view.title()}: {view.sentence()}"
        save_picture(view, wanted.out, scale=wanted.scale, title=caption)
    finally:
        session.close()
        view.close()
    return caption


def _open(session: Session, wanted: Picture) -> Run:
    # Nothing is asked of a part of the run: a picture that grew may differ in the last bit from one made at once.
    session.look_at(View(panels=frozenset()))
    session.open_recording(wanted.run)
    wait_until(lambda: bool(session.state.notices) or _opened(session.state), what=f"the recording {wanted.run}")
    if session.state.run is None:
        raise Problem(session.state.notices[-1].text)
    return session.state.run


def _opened(state: State) -> bool:
    return state.run is not None and state.run.finished is not None


def _select(session: Session, run: Run, wanted: Picture) -> None:
    config = run.info.config
    first = config.moe_layers[0] if config.moe_layers else 0
    layer = _checked("layer", wanted.layer, otherwise=first, count=config.layers)
    head = _checked("head", wanted.head, otherwise=0, count=config.heads)
    if config.router is not None and wanted.devices > config.router.experts:
        raise Problem(f"--devices {wanted.devices} is more than this run's {config.router.experts} experts.")
    queries, keys = (_filled(span, run.tokens) for span in (wanted.queries, wanted.keys))
    whole = (queries, keys) == ((0, run.tokens), (0, run.tokens))
    cell = cell_size(max(queries[1] - queries[0], keys[1] - keys[0]), max(64, min(wanted.size)))
    window = Window(cell=(cell, cell)) if whole else Window(queries, keys, (cell, cell))
    tokens = None if whole else keys
    latents = (tokens, cell_size(keys[1] - keys[0], wanted.size[0]))
    session.look_at(View(map=window, latents=latents, panels=frozenset({wanted.view})))
    choices = replace(session.state.choices, devices=wanted.devices, placement=wanted.placement)
    selection = Selection(token=queries[1] - 1, layer=layer, head=head)
    session.state = select(replace(session.state, choices=choices, following=False), selection)


def _checked(name: str, value: int | None, *, otherwise: int, count: int) -> int:
    if value is None:
        return otherwise
    if not 0 <= value < count:
        raise Problem(f"--{name} {value} is not in this run; it has {name}s 0 to {count - 1}.")
    return value


def _filled(span: tuple[int | None, int | None], tokens: int) -> tuple[int, int]:
    start, end = 0 if span[0] is None else span[0], tokens if span[1] is None else span[1]
    if not 0 <= start < end <= tokens:
        raise Problem(f"The range {start}:{end} is not inside this run's tokens 0:{tokens}.")
    return start, end


def _answered(session: Session, view: str) -> bool:
    """Whether every stage of what this view shows has come."""
    shown = session.state.shown
    kinds = {"attention": ("map", "gallery", "row"), "heads": ("gallery",), "latents": ("latents",), "sums": ("sums",)}
    there = {
        "attention": shown.attention is not None and bool(shown.gallery) and shown.row is not None,
        "heads": bool(shown.heads),
        "latents": shown.latents is not None,
        "sums": shown.sums is not None,
    }
    return there[view] and not any(session.is_open(kind) for kind in kinds[view])


def _draw(parts: Parts, state: State) -> None:
    counter = Counter()
    present_attention.show_attention(parts.attention, state)
    present_attention.show_heads(parts.heads, None, state)
    present_attention.show_compare(parts.compare, state)
    present_attention.show_latents(parts.latents, state)
    present_attention.show_sums(parts.sums, state)
    present.show_routing(parts.routing, state, counter)
    present.show_devices(parts.devices, state, counter)
    present.show_memory(parts.memory, state)
