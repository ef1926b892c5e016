import math
from time import thread_time

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QColor, QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QMenu, QPushButton

from widgets.palette import DARK, LIGHT, sequential_table
from widgets.selection import Selection
from widgets.token_chips import TokenChips
from widgets.token_measure import Measure, MeasureLegend
from widgets.token_strip import TokenStrip

TEXTS = ["The", " king", " said", "\n", " to", " the", " queen"]


@pytest.fixture
def strip(qtbot):
    made = TokenStrip()
    qtbot.addWidget(made)
    made.show_palette(DARK)
    made.set_measures([("surprise", "surprise"), ("expert", "expert")])
    made.resize(500, made.sizeHint().height())
    made.show_tokens(TEXTS, 4)
    made.grab()
    return made


def chips(strip):
    return strip.findChild(TokenChips)


def send(widget, kind, place):
    left = Qt.MouseButton.LeftButton if kind != QEvent.Type.MouseMove else Qt.MouseButton.NoButton
    event = QMouseEvent(kind, place, widget.mapToGlobal(place), left, left, Qt.KeyboardModifier.NoModifier)
    QApplication.sendEvent(widget, event)


def colour_at(strip, token, fraction=(0.5, 0.88)):
    box = chips(strip).chip(token)
    image = chips(strip).viewport().grab().toImage()
    place = QPointF(box.left() + box.width() * fraction[0], box.top() + box.height() * fraction[1])
    return image.pixelColor(place.toPoint())


def many(count=3000):
    return [f" word{index % 90}" for index in range(count)]


def bar(strip):
    return chips(strip).verticalScrollBar()


def test_a_measure_colours_chips_from_its_low_to_its_high_end(strip):
    strip.show_measure("surprise", np.array([0, 5, 10, 99], dtype=np.float32), 0, 10, "sequential")
    table = sequential_table(DARK.sequential)
    assert colour_at(strip, 1).getRgb() == tuple(table[128].tolist())
    assert colour_at(strip, 2).getRgb() == tuple(table[255].tolist())
    assert colour_at(strip, 3).getRgb() == tuple(table[255].tolist())


def test_a_token_without_a_value_takes_no_colour_of_the_map(strip):
    strip.show_measure("surprise", np.array([math.nan, 10], dtype=np.float32), 0, 10, "sequential")
    assert colour_at(strip, 0).name() == DARK.raised
    assert colour_at(strip, 6).name() == DARK.raised  # beyond the last value


def test_categories_take_the_colours_of_devices(strip):
    strip.show_measure("device", np.arange(7, dtype=np.float32), 0, 7, "category")
    assert colour_at(strip, 2) == DARK.category(2)
    assert colour_at(strip, 5) == DARK.category(5)


def test_another_theme_recolours_every_chip(strip):
    strip.show_measure("surprise", np.full(7, 10, dtype=np.float32), 0, 10, "sequential")
    strip.show_palette(LIGHT)
    assert colour_at(strip, 2).name() == LIGHT.sequential[-1]


def test_the_selected_token_wears_the_accent(strip):
    before = colour_at(strip, 1, (0.5, 0.0))
    strip.show_selection(Selection(token=1))
    after = colour_at(strip, 1, (0.5, 0.0))
    accent = DARK.colour("accent")
    distance = lambda one: abs(one.green() - accent.green()) + abs(one.red() - accent.red())  # noqa: E731
    assert distance(after) < distance(before) / 3


def test_a_click_tells_the_token_and_changes_nothing_by_itself(strip, qtbot):
    with qtbot.waitSignal(strip.token_chosen) as told:
        send(chips(strip).viewport(), QEvent.Type.MouseButtonPress, chips(strip).chip(5).center())
    assert told.args == [5]
    assert chips(strip)._chosen is None


def test_hovering_reads_the_token_in_full(strip, qtbot):
    strip.show_measure("surprise", np.array([0, 1.25, 2, 3, 4, 5, 6], dtype=np.float32), 0, 10, "sequential")
    with qtbot.waitSignal(strip.hovered_text) as told:
        send(chips(strip).viewport(), QEvent.Type.MouseMove, chips(strip).chip(1).center())
    assert told.args == ["token 1 “king”  prompt  surprise 1.250"]
    with qtbot.waitSignal(strip.hovered_text) as told:
        send(chips(strip).viewport(), QEvent.Type.MouseMove, chips(strip).chip(5).center())
    assert told.args == ["token 5 “the”  generated  surprise 5.000"]
    with qtbot.waitSignal(strip.hovered_text) as told:
        chips(strip).leaveEvent(QEvent(QEvent.Type.Leave))
    assert told.args == [""]


def test_invisible_tokens_have_a_visible_name(strip, qtbot):
    with qtbot.waitSignal(strip.hovered_text) as told:
        send(chips(strip).viewport(), QEvent.Type.MouseMove, chips(strip).chip(3).center())
    assert told.args == ["token 3 “↵”  prompt"]


@pytest.mark.parametrize(
    ("key", "chosen"),
    [(Qt.Key.Key_Left, 2), (Qt.Key.Key_Right, 4), (Qt.Key.Key_Home, 0), (Qt.Key.Key_End, 6)],
)
def test_keys_move_the_selection(strip, qtbot, key, chosen):
    strip.show_selection(Selection(token=3))
    with qtbot.waitSignal(strip.token_chosen) as told:
        QTest.keyClick(chips(strip), key)
    assert told.args == [chosen]


def test_down_goes_to_the_chip_under_it_and_stays_at_the_last_line(strip, qtbot):
    strip.show_tokens(many(60), 4)
    strip.show_selection(Selection(token=1))
    with qtbot.waitSignal(strip.token_chosen) as told:
        QTest.keyClick(chips(strip), Qt.Key.Key_Down)
    below = chips(strip)._lines.tokens_in(1)
    assert told.args[0] in below
    strip.show_selection(Selection(token=59))
    with qtbot.waitSignal(strip.token_chosen) as told:
        QTest.keyClick(chips(strip), Qt.Key.Key_Down)
    assert told.args == [59]


def test_there_is_a_mark_before_the_first_generated_token(strip):
    last, first = chips(strip).chip(3), chips(strip).chip(4)
    assert first.left() - last.right() > 8
    image = chips(strip).viewport().grab().toImage()
    between = [image.pixelColor(x, int(first.center().y())) for x in range(int(last.right()), int(first.left()))]
    assert DARK.colour("muted") in between


def test_new_tokens_stay_in_view_while_text_streams(strip):
    for count in range(100, 160, 7):
        strip.show_tokens(many(count), 4)
        assert bar(strip).value() == bar(strip).maximum() > 0


def test_streaming_leaves_someone_who_scrolled_away_alone(strip):
    strip.show_tokens(many(400), 4)
    bar(strip).setValue(50)
    strip.show_tokens(many(420), 4)
    assert bar(strip).value() == 50


def test_selecting_a_token_brings_it_into_view(strip):
    strip.show_tokens(many(400), 4)
    strip.show_selection(Selection(token=10))
    assert chips(strip).viewport().rect().contains(chips(strip).chip(10).center().toPoint())
    strip.show_selection(Selection(token=399))
    assert chips(strip).viewport().rect().contains(chips(strip).chip(399).center().toPoint())


def test_another_text_begins_anew(strip):
    strip.show_tokens(["A", " new", " text"], 1)
    assert chips(strip)._names == ["A", "new", "text"]
    assert "3 tokens, 1 of them from the prompt" in strip.accessibleDescription()


def test_two_lines_fit_whole_in_the_usual_height(strip):
    strip.show_tokens(many(400), 4)
    bar(strip).setValue(0)
    second = chips(strip)._lines.tokens_in(1)[0]
    assert chips(strip).chip(second).bottom() < chips(strip).viewport().height()


def test_choosing_a_measure_in_the_menu_tells_its_key(strip, qtbot):
    actions = strip.findChild(QMenu).actions()
    assert [action.text() for action in actions] == ["surprise", "expert"]
    with qtbot.waitSignal(strip.measure_chosen) as told:
        actions[1].trigger()
    assert told.args == ["expert"]


def test_the_button_names_the_measure(strip):
    strip.show_measure("margin", np.zeros(3, dtype=np.float32), 0, 1, "sequential")
    assert strip.findChild(QPushButton).text() == "coloured by margin ▾"


def test_clearing_shows_a_hint_instead_of_chips(strip):
    strip.clear("Nothing yet.")
    assert len(chips(strip)._lines) == 0
    image = chips(strip).viewport().grab().toImage()
    inked = {image.pixelColor(x, y).name() for x in range(0, 120) for y in range(0, 24)}
    assert DARK.muted in inked


def test_thirty_thousand_tokens_stream_smoothly(strip):
    texts = many(32_000)
    strip.show_tokens(texts, 4)
    strip.show_measure("surprise", np.zeros(32_000, dtype=np.float32), 0, 1, "sequential")
    seconds = []
    for index in range(10):
        texts.append(f" more{index}")
        began = thread_time()
        strip.show_tokens(texts, 4)
        seconds.append(thread_time() - began)
    assert min(seconds) < 0.03  # of the processor, the best of ten: other work goes on beside the tests


def test_a_measure_without_span_does_not_divide_by_zero():
    measure = Measure(values=np.array([3.0], dtype=np.float32), low=3, high=3)
    assert measure.step(0) == 0
    assert measure.step(1) is None


def test_the_legend_runs_from_the_low_to_the_high_colour(strip):
    legend = strip.findChild(MeasureLegend)
    strip.show_measure("surprise", np.zeros(3, dtype=np.float32), 0, 10, "sequential")
    image = legend.grab().toImage()
    row = [image.pixelColor(x, legend.height() // 2).name() for x in range(legend.width())]
    brightest = QColor(DARK.sequential[-1])
    assert any(abs(QColor(name).red() - brightest.red()) < 12 for name in row)
    strip.show_measure("device", np.zeros(3, dtype=np.float32), 0, 3, "category")
    other = legend.grab().toImage()
    assert len({other.pixelColor(x, legend.height() // 2).name() for x in range(legend.width())}) == 1
