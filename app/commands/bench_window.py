"""`bench window`: how long the window's thread is ever busy, and how soon the window is painted.

A timer at 60 Hz lives in the window's thread; the longest gap between two of its ticks is the longest
time the window could not answer. It runs through the engine's start (torch's import included), the
load of the checkpoint, and a generation with all four views open.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Qt, QTimer
from PySide6.QtWidgets import QApplication

from app.qt_log import log_qt_messages
from app.waiting import serve_for, wait_until
from app.window_app import PAINT_MARK, RunningWindow, WindowOptions
from model.config import Sampling

TICK_MS = 16
GAP_LIMIT_MS = 100.0
PAINT_LIMIT_S = 0.7
PAINT_REPEATS = 5
BARE_WINDOW = """
import sys, pyqtgraph
from PySide6.QtWidgets import QApplication
from PySide6.QtCore import QTimer
application = QApplication([])
window = pyqtgraph.PlotWidget(); window.resize(1600, 1000); window.show()
QTimer.singleShot(0, lambda: (sys.stderr.write("latent-loupe: first paint\\n"), sys.stderr.flush(), application.exit()))
application.exec()
"""


class Ticker(QObject):
    """Collects the gaps between ticks of a 60 Hz timer, in milliseconds, under the name of a phase."""

    def __init__(self) -> None:
        super().__init__()
        self.phase = "start"
        self.gaps: dict[str, list[float]] = {}
        self._last = time.perf_counter()
        self._timer = QTimer(self, interval=TICK_MS, timerType=Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._tick)
        self._timer.start()

    def _tick(self) -> None:
        now = time.perf_counter()
        self.gaps.setdefault(self.phase, []).append(1000 * (now - self._last))
        self._last = now


def bench_window(*, checkpoint: str | None, tokens: int, size: tuple[int, int] = (1600, 1000)) -> dict[str, Any]:
    """Measure one window; the result maps names to {value, unit, peer, ratio, limit}."""
    log_qt_messages()
    application = QApplication.instance() or QApplication(["latent-loupe"])
    assert isinstance(application, QApplication)
    with tempfile.TemporaryDirectory() as folder:
        running = RunningWindow(
            application, WindowOptions(checkpoint=checkpoint), settings=Path(folder) / "settings.json", theme="dark"
        )
        running.window.resize(*size)
        running.window.show()
        ticker = Ticker()
        try:
            _drive(running, ticker, tokens)
        finally:
            running.end()
            running.window.close()
    result = {f"longest_gap_{phase}": _gap(gaps) for phase, gaps in ticker.gaps.items()}
    ours, bare = _first_paint([sys.executable, "main.py"]), _first_paint([sys.executable, "-c", BARE_WINDOW])
    return {**result, "first_paint": _measure(ours, "s", bare, PAINT_LIMIT_S)}


def _drive(running: RunningWindow, ticker: Ticker, tokens: int) -> None:
    session = running.session
    ticker.phase = "starting_and_loading"
    wait_until(lambda: session.state.model is not None, what="the checkpoint")
    wait_until(lambda: not session.state.proving, what="the proof")
    ticker.phase = "generating"
    session.submit("The king said to the queen", max_new_tokens=tokens, sampling=Sampling(temperature=0.8, seed=1))
    wait_until(lambda: bool(session.state.runs), what="the run")
    wait_until(lambda: not session.state.running, what="the generation", seconds=600)
    ticker.phase = "exploring"
    for layer in range(session.state.runs[-1].info.config.layers):
        session.choose_layer(layer)
        serve_for(0.2)


def _gap(gaps: list[float]) -> dict[str, Any]:
    return _measure(max(gaps), "ms", float(TICK_MS), GAP_LIMIT_MS)


def _measure(value: float, unit: str, peer: float, limit: float) -> dict[str, Any]:
    return {
        "value": round(value, 3),
        "unit": unit,
        "peer": round(peer, 3),
        "ratio": round(value / peer, 3),
        "limit": limit,
    }


def _first_paint(command: list[str]) -> float:
    """Median seconds from the process's start to the window's first paint."""
    return sorted(_paint_once(command) for _ in range(PAINT_REPEATS))[PAINT_REPEATS // 2]


def _paint_once(command: list[str]) -> float:
    environment = {**os.environ, "LATENT_LOUPE_MARK_PAINT": "1"}
    begun = time.perf_counter()
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
    assert process.stderr is not None
    for line in process.stderr:
        if PAINT_MARK in line:
            break
    seconds = time.perf_counter() - begun
    process.kill()
    process.wait()
    process.stderr.close()
    return seconds
