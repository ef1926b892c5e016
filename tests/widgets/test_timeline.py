"""The timeline: cells, scrubbing, keys, readings."""

import numpy as np
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QColor, QPainter
from PySide6.QtSvg import QSvgGenerator
from PySide6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot

from widgets.palette import DARK
from widgets.selection import Selection
from widgets.timeline import Timeline


def _timeline(qtbot: QtBot, *, fed: int = 43, planned: int = 62) -> Timeline:
    timeline = Timeline()
    qtbot.addWidget(timeline)
    timeline.show_palette(DARK)
    timeline.resize(1600, 58)
    timeline.show()
    seconds = np.linspace(0.001, 0.004, fed).astype(np.float32)
    timeline.show_run(14, fed, planned, seconds)
    return timeline


def _middle(timeline: Timeline, token: int) -> QPoint:
    return timeline.cell_rect(token).center().toPoint()


def _pixel(timeline: Timeline, token: int) -> QColor:
    image = timeline.grab().toImage()
    ratio = image.devicePixelRatio()
    place = _middle(timeline, token)
    return image.pixelColor(int(place.x() * ratio), int(place.y() * ratio))


def test_prefill_decode_and_plan_have_their_own_inks(qtbot: QtBot) -> None:
    timeline = _timeline(qtbot)
    prefilled, slow, planned = (_pixel(timeline, token) for token in (13, 42, 50))
    assert slow.name() == DARK.accent
    assert prefilled.saturation() < 60 < slow.saturation()
    assert planned.lightness() < prefilled.lightness()


def test_slower_tokens_are_stronger(qtbot: QtBot) -> None:
    timeline = _timeline(qtbot)
    assert _pixel(timeline, 42).lightness() > _pixel(timeline, 15).lightness()


def test_dragging_asks_for_each_token_once(qtbot: QtBot) -> None:
    timeline = _timeline(qtbot)
    asked: list[int] = []
    timeline.token_chosen.connect(asked.append)
    qtbot.mousePress(timeline, Qt.MouseButton.LeftButton, pos=_middle(timeline, 20))
    for token in (20, 21, 22, 55):
        qtbot.mouseMove(timeline, _middle(timeline, token))
    assert asked[0] == 20
    qtbot.mouseRelease(timeline, Qt.MouseButton.LeftButton)


def test_clicking_planned_cells_asks_for_the_last_token_fed(qtbot: QtBot) -> None:
    timeline = _timeline(qtbot)
    with qtbot.waitSignal(timeline.token_chosen, timeout=1000) as told:
        qtbot.mousePress(timeline, Qt.MouseButton.LeftButton, pos=_middle(timeline, 60))
    assert told.args == [42]


def test_keys_move_and_stop_at_the_ends(qtbot: QtBot) -> None:
    timeline = _timeline(qtbot)
    asked: list[int] = []
    timeline.token_chosen.connect(asked.append)
    timeline.show_selection(Selection(token=22))
    for key in (Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Home, Qt.Key.Key_End, Qt.Key.Key_PageUp):
        qtbot.keyClick(timeline, key)
    assert asked == [21, 23, 0, 42, 6]
    timeline.show_selection(Selection(token=42))
    qtbot.keyClick(timeline, Qt.Key.Key_Right)
    assert len(asked) == 5


def test_selected_cell_wears_a_frame(qtbot: QtBot) -> None:
    timeline = _timeline(qtbot)
    edge = QPoint(_middle(timeline, 22).x(), int(timeline.cell_rect(22).top() - 1.5))
    before = timeline.grab().toImage().pixelColor(edge)
    timeline.show_selection(Selection(token=22))
    after = timeline.grab().toImage().pixelColor(edge)
    assert after.lightness() > before.lightness() + 60


def test_reading_tells_kind_time_and_probability(qtbot: QtBot) -> None:
    timeline = _timeline(qtbot)
    timeline.show_probabilities(np.full(43, 0.25, dtype=np.float32))
    with qtbot.waitSignal(timeline.hovered_text, timeout=1000) as told:
        qtbot.mouseMove(timeline, _middle(timeline, 42))
    assert told.args == ["token 42 · decode · 4 ms per token · probability 0.250"]


def test_grouped_cells_read_their_range(qtbot: QtBot) -> None:
    timeline = _timeline(qtbot, fed=1900, planned=2048)
    per_cell = timeline.cells().tokens_per_cell
    assert per_cell == 6
    with qtbot.waitSignal(timeline.hovered_text, timeout=1000) as told:
        qtbot.mouseMove(timeline, _middle(timeline, 12))
    assert told.args is not None
    assert told.args[0].startswith("tokens 12–17 · prefill")


def test_colouring_is_asked_for_and_shown_when_set(qtbot: QtBot) -> None:
    timeline = _timeline(qtbot)
    button = timeline.findChild(QPushButton)
    assert button is not None
    with qtbot.waitSignal(timeline.colouring_chosen, timeout=1000) as told:
        button.click()
    assert told.args == ["probability"]
    assert "time" in button.text()
    timeline.show_probabilities(np.r_[np.zeros(42), 1.0].astype(np.float32))
    timeline.show_colouring("probability")
    assert "probability" in button.text()
    assert _pixel(timeline, 42).name() == DARK.accent


def test_empty_timeline_says_what_will_appear(qtbot: QtBot) -> None:
    timeline = _timeline(qtbot)
    timeline.clear("Run something.")
    assert timeline.accessibleDescription() == "Run something."
    asked: list[int] = []
    timeline.token_chosen.connect(asked.append)
    qtbot.mousePress(timeline, Qt.MouseButton.LeftButton, pos=QPoint(100, 35))
    qtbot.keyClick(timeline, Qt.Key.Key_Right)
    assert asked == []
    assert timeline.grab().toImage().pixelColor(2, 20).name() == DARK.surface


def test_picture_is_drawn_as_vectors(qtbot: QtBot, tmp_path: object) -> None:
    timeline = _timeline(qtbot)
    path = f"{tmp_path}/timeline.svg"
    generator = QSvgGenerator()
    generator.setFileName(path)
    generator.setSize(timeline.size())
    painter = QPainter(generator)
    timeline.render(painter, QPoint())
    painter.end()
    with open(path, encoding="utf-8") as file:  # noqa: PTH123  # one short read
        assert file.read().count("<rect") >= 62
