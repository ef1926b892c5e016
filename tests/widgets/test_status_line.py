"""The status line: state, speed, progress, and the hovered cell."""

from collections.abc import Iterator
from itertools import pairwise

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QFont
from PySide6.QtWidgets import QApplication, QLabel, QProgressBar, QPushButton
from pytestqt.qtbot import QtBot

from app.theme import ui_font
from widgets.dot import Dot
from widgets.palette import DARK
from widgets.status_line import StatusLine


def _line(qtbot: QtBot) -> StatusLine:
    line = StatusLine()
    qtbot.addWidget(line)
    line.show_palette(DARK)
    line.resize(1280, 26)
    line.show()
    return line


def _words(line: StatusLine) -> list[str]:
    return [label.text() for label in line.findChildren(QLabel) if label.isVisible() and label.text()]


def _button(line: StatusLine, text: str) -> QPushButton:
    return next(button for button in line.findChildren(QPushButton) if button.text() == text)


def test_generating_shows_speed_recording_and_stop(qtbot: QtBot) -> None:
    line = _line(qtbot)
    line.show_state("busy", "generating · token 43 of 62")
    line.show_speed(312.4, 0.0032)
    line.show_recording(4_100_000, 1_000_000_000)
    assert _words(line) == [
        "generating · token 43 of 62",
        "312 tokens/s",
        "3.2 ms/step",
        "recording 4.1 MB of 1 GB",
    ]
    with qtbot.waitSignal(line.stop_wanted, timeout=1000):
        qtbot.mouseClick(_button(line, "Stop"), Qt.MouseButton.LeftButton)


def test_stop_is_offered_only_while_busy(qtbot: QtBot) -> None:
    line = _line(qtbot)
    shown = []
    for kind in ("idle", "busy", "loading", "dead"):
        line.show_state(kind, "x")
        shown.append(_button(line, "Stop").isVisible())
    assert shown == [False, True, False, False]


def test_lamp_turns_bad_when_the_engine_is_dead(qtbot: QtBot) -> None:
    line = _line(qtbot)
    lamp = line.findChild(Dot)
    assert lamp is not None
    line.show_state("dead", "the engine stopped")
    assert lamp.colour().name() == DARK.bad


def test_progress_can_be_known_unknown_and_over(qtbot: QtBot) -> None:
    line = _line(qtbot)
    bar = line.findChild(QProgressBar)
    assert bar is not None
    line.show_progress("reading", 0.25)
    assert (bar.value(), bar.maximum(), bar.isVisible()) == (250, 1000, True)
    line.show_progress("reading", None)
    assert bar.maximum() == 0
    with qtbot.waitSignal(line.cancel_wanted, timeout=1000):
        qtbot.mouseClick(_button(line, "Cancel"), Qt.MouseButton.LeftButton)
    line.hide_progress()
    assert not bar.isVisible()
    assert not _button(line, "Cancel").isVisible()


def test_changing_figures_do_not_move_what_stands_beside_them(qtbot: QtBot) -> None:
    line = _line(qtbot)
    line.show_state("busy", "generating")
    line.show_speed(1234.0, 0.0108)
    line.show_recording(1_000_000)
    label = next(label for label in line.findChildren(QLabel) if label.text().startswith("recording"))
    qtbot.waitExposed(line)
    line.layout().activate()
    before = label.x()
    line.show_speed(9.0, 0.001)
    line.layout().activate()
    assert label.x() == before
    assert before > 0


def test_long_hover_text_is_shortened_but_kept_whole(qtbot: QtBot) -> None:
    line = _line(qtbot)
    text = "query 38 → key 6 · " * 40
    line.show_hover(text)
    assert line.hover() == text
    assert any(label.text().endswith("…") for label in line.findChildren(QLabel))


def test_memory_is_told_beside_its_budget_and_exactly_on_hover(qtbot: QtBot) -> None:
    line = _line(qtbot)
    line.resize(1600, 26)
    line.show_memory(2_100_000_000, budget=8_000_000_000, resident=14_800_000_000)
    assert "2.1 of 8 GB kept · 14.8 GB resident" in _words(line)
    label = next(label for label in line.findChildren(QLabel) if "kept" in label.text())
    assert "2,100,000,000 B" in label.toolTip()
    line.show_memory(2_100_000_000, budget=0, resident=14_800_000_000)
    assert "2.1 GB kept · 14.8 GB resident" in _words(line)
    line.show_memory(0, budget=8, resident=9)
    assert not label.isVisible()


def test_what_is_being_cancelled_cannot_be_cancelled_again(qtbot: QtBot) -> None:
    line = _line(qtbot)
    line.show_progress("cancelling x…", 0.5, cancellable=False)
    assert not _button(line, "Cancel").isEnabled()
    line.show_progress("loading y", None)
    assert _button(line, "Cancel").isEnabled()


@pytest.fixture(params=["plain", "the program's"])
def _font(request: pytest.FixtureRequest, qapp: QApplication) -> Iterator[None]:
    """The program's font is wider than Qt's own."""
    before = qapp.font()
    qapp.setFont(ui_font() if request.param == "the program's" else QFont())
    yield
    qapp.setFont(before)


@pytest.mark.usefixtures("_font")
def test_long_work_beside_a_run_leaves_room_for_the_hovered_cell(qtbot: QtBot) -> None:
    line = _line(qtbot)
    line.show_state("busy", "generating · token 1,016 of 2,048")
    line.show_speed(312.0, 0.0032)
    line.show_recording(4_100_000, 1_000_000_000)
    line.show_progress("loading DeepSeek-V2-Lite-Chat · 7.3 of 31.4 GB · 608 MB/s · 39.6 s left", 0.23)
    line.show_memory(2_100_000_000, budget=8_000_000_000, resident=14_800_000_000)
    line.show_hover("query 38 “castle” → key 6")
    line.layout().activate()
    shown = [label for label in line.findChildren(QLabel) if label.isVisible() and label.text()]
    assert not any(label.text().endswith("…") for label in shown)
    spans = sorted((label.x(), label.x() + label.width()) for label in shown)
    assert all(end <= start for (_, end), (start, _) in pairwise(spans))
    assert spans[-1][1] <= line.width()
    line.hide_progress()
    assert "3.2 ms/step" in _words(line)
