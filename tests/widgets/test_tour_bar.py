"""The tour's bar: where one is, what is seen, and its three buttons."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QPushButton

from widgets.palette import DARK, LIGHT
from widgets.tour_bar import TourBar

LONG = "Layer 3, head 5 finds the earlier copy: " + "a token gives 0.62 of its weight to what came next. " * 4


@pytest.fixture
def bar(qtbot) -> TourBar:
    bar = TourBar()
    qtbot.addWidget(bar)
    bar.resize(1280, bar.minimumHeight())
    return bar


def button(bar: TourBar, text: str) -> QPushButton:
    return next(each for each in bar.findChildren(QPushButton) if each.text() == text)


def test_it_is_hidden_until_there_is_a_stop_and_says_where_one_is(bar):
    assert bar.isHidden()
    bar.show_stop(2, 8, title="Brackets", sentence="Layer 3.")
    assert bar.isVisible()
    texts = [label.text() for label in bar.findChildren(QLabel)]
    assert texts == ["TOUR · 2 OF 8", "Brackets", "Layer 3."]
    assert bar.accessibleDescription() == "Brackets. Layer 3."


def test_the_buttons_ask_and_the_ends_of_the_tour_are_seen(bar, qtbot):
    asked = []
    for name in ("next_wanted", "back_wanted", "leave_wanted"):
        getattr(bar, name).connect(lambda name=name: asked.append(name))
    bar.show_stop(1, 2, title="One", sentence="One.")
    assert not button(bar, "‹ Back").isEnabled()
    qtbot.mouseClick(button(bar, "Next ›"), Qt.MouseButton.LeftButton)
    bar.show_stop(2, 2, title="Two", sentence="Two.")
    qtbot.mouseClick(button(bar, "‹ Back"), Qt.MouseButton.LeftButton)
    qtbot.mouseClick(button(bar, "Done"), Qt.MouseButton.LeftButton)
    qtbot.mouseClick(button(bar, "×"), Qt.MouseButton.LeftButton)
    assert asked == ["next_wanted", "back_wanted", "leave_wanted", "leave_wanted"]


def test_two_lines_fit_and_the_bar_keeps_its_height(bar):
    bar.show_stop(1, 8, title="One", sentence="Short.")
    before = bar.sizeHint().height()
    bar.show_stop(2, 8, title="Two", sentence=LONG)
    label = bar.findChildren(QLabel)[2]
    bar.layout().activate()
    assert label.heightForWidth(label.width()) <= bar.height() - 18
    assert before <= bar.minimumHeight()


def test_markup_in_a_sentence_stays_text_and_the_theme_is_worn(bar):
    bar.show_stop(1, 8, title="One", sentence="<b>x</b>")
    assert bar.sentence() == "<b>x</b>"
    assert all(label.textFormat() == Qt.TextFormat.PlainText for label in bar.findChildren(QLabel))
    bar.show_palette(DARK)
    dark = bar.grab().toImage()
    bar.show_palette(LIGHT)
    assert bar.grab().toImage() != dark
