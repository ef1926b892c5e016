"""`bench fly`: how long the window's thread is ever busy while a map of very many tokens is zoomed and panned.

The run is synthetic: the bundled model's own latents, repeated. Wheel and mouse events come at 60 Hz, as from a person
in a hurry; the gaps between ticks of a 60 Hz timer are the frames that were missed.
"""

import os
import tempfile
import time
from pathlib import Path
from typing import Any

from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QMouseEvent, QWheelEvent
from PySide6.QtWidgets import QApplication

from app.commands.bench_window import TICK_MS, Ticker
from app.commands.long_run import stretch
from app.qt_log import log_qt_messages
from app.session import Session
from app.waiting import serve_for, wait_until
from app.window_app import RunningWindow, WindowOptions
from model.config import Sampling
from model.messages import PictureShown
from widgets.attention.attention_map import MapPlot

SOURCE_TOKENS = 600
GAP_LIMIT_MS = 33.0
STAGE_LIMIT_MS = 150.0
EVENTS = 120  # of one movement: two seconds at 60 Hz
PLACES = ((0.3, 0.7), (0.1, 0.95), (0.5, 0.6), (0.02, 0.4))  # of the cursor, across and down


def bench_fly(*, checkpoint: str | None, tokens: int, size: tuple[int, int] = (1600, 1000)) -> dict[str, Any]:
    """Measure; the result maps names to {value, unit, peer, ratio, limit}."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    log_qt_messages()
    application = QApplication.instance() or QApplication(["latent-loupe"])
    assert isinstance(application, QApplication)
    with tempfile.TemporaryDirectory(prefix="latent-loupe-fly-") as folder:
        options = WindowOptions(checkpoint=checkpoint, dtype="bfloat16")
        running = RunningWindow(application, options, settings=Path(folder) / "settings.json", theme="dark")
        running.window.resize(*size)
        running.window.show()
        try:
            open_long_run(running.session, Path(folder) / "run", tokens=tokens)
            return _fly(running)
        finally:
            running.end()
            running.window.close()


def open_long_run(session: Session, folder: Path, *, tokens: int) -> None:
    """Generate a short text, stretch its recording, and open that."""
    wait_until(
        lambda: session.state.model is not None and not session.state.proving, what="the checkpoint", seconds=600
    )
    session.submit("The king said to the queen", max_new_tokens=SOURCE_TOKENS, sampling=Sampling(0.9, seed=1))
    wait_until(lambda: bool(session.state.runs) and not session.state.running, what="the run", seconds=600)
    assert session.state.run is not None
    stretch(Path(session.state.run.info.folder), folder, tokens=tokens)
    session.open_recording(str(folder))
    wait_until(
        lambda: session.state.run is not None and session.state.run.tokens == tokens, what="the run", seconds=600
    )
    wait_until(lambda: session.state.shown.attention is not None, what="a picture", seconds=300)


def _fly(running: RunningWindow) -> dict[str, Any]:
    session, plot = running.session, running.window.parts.attention.shown_plot()
    stages: list[float] = []
    asked = [0.0]
    running.window.parts.attention.range_wanted.connect(lambda _wanted: asked.__setitem__(0, time.perf_counter()))
    session.told.connect(lambda event: _note(event, asked, stages))
    ticker = Ticker()
    for across, down in PLACES:
        for phase, direction in (("zooming", 1), ("panning", 0), ("zooming", -1)):
            ticker.phase = "settling"
            serve_for(0.3)
            ticker.phase = phase
            _move(plot, across=across, down=down, direction=direction)
    result = {
        f"longest_gap_{phase}": _measure(max(ticker.gaps[phase]), "ms", float(TICK_MS), GAP_LIMIT_MS)
        for phase in ("zooming", "panning")
    }
    ordered = sorted(stages)
    if ordered:
        middle, worst = ordered[len(ordered) // 2], ordered[-1]
        result["first_stage_median"] = _measure(middle, "ms", STAGE_LIMIT_MS, STAGE_LIMIT_MS)
        result["first_stage_worst"] = _measure(worst, "ms", STAGE_LIMIT_MS, STAGE_LIMIT_MS)
    return result


def _note(event: object, asked: list[float], stages: list[float]) -> None:
    if isinstance(event, PictureShown) and event.slot == "map" and asked[0]:
        stages.append(1000 * (time.perf_counter() - asked[0]))
        asked[0] = 0.0


def _move(plot: MapPlot, *, across: float, down: float, direction: int) -> None:
    square = plot.layout_now().square
    place = QPointF(square.left() + across * square.width(), square.top() + down * square.height())
    if not direction:
        _mouse(plot, QEvent.Type.MouseButtonPress, place)
    for number in range(EVENTS):
        if direction:
            _wheel(plot, place, 60 * direction)
        else:
            angle = 1 if number // 30 % 2 else -1
            place = QPointF(place.x() + 3 * angle, place.y() + 2 * angle)
            _mouse(plot, QEvent.Type.MouseMove, place)
        serve_for(TICK_MS / 1000)
    if not direction:
        _mouse(plot, QEvent.Type.MouseButtonRelease, place)


def _wheel(plot: MapPlot, place: QPointF, angle: int) -> None:
    none, phase = Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase
    where = plot.mapToGlobal(place)
    event = QWheelEvent(place, where, QPoint(), QPoint(0, angle), Qt.MouseButton.NoButton, none, phase, False)
    QApplication.sendEvent(plot, event)


def _mouse(plot: MapPlot, kind: QEvent.Type, place: QPointF) -> None:
    left, none = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    QApplication.sendEvent(plot, QMouseEvent(kind, place, plot.mapToGlobal(place), left, left, none))


def _measure(value: float, unit: str, peer: float, limit: float) -> dict[str, Any]:
    ratio = round(value / peer, 3)
    return {"value": round(value, 3), "unit": unit, "peer": round(peer, 3), "ratio": ratio, "limit": limit}
