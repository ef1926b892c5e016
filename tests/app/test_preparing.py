"""The plot that loads pyqtgraph is made behind the first paint, and is there when it is needed sooner."""

import subprocess
import sys

from pytestqt.qtbot import QtBot

from app.preparing import Preparing
from tests.widgets.memory.test_memory_view import _series
from widgets.memory.memory_plot import MemoryPlot
from widgets.memory.memory_view import MemoryView


def test_the_plot_is_made_after_it_was_loaded(qtbot: QtBot) -> None:
    view = MemoryView()
    qtbot.addWidget(view)
    assert view.findChild(MemoryPlot) is None
    Preparing(view).start()
    qtbot.waitUntil(lambda: view.findChild(MemoryPlot) is not None)


def test_data_that_come_sooner_make_it_themselves(qtbot: QtBot) -> None:
    view = MemoryView()
    qtbot.addWidget(view)
    view.show_series(_series(3))
    assert len(view.findChildren(MemoryPlot)) == 1
    view.prepare()
    assert len(view.findChildren(MemoryPlot)) == 1


def test_no_first_paint_waits_for_pyqtgraph() -> None:
    code = "import sys, app.window_app; sys.exit('pyqtgraph' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
