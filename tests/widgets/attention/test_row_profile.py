import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPointF

from widgets.attention.data import RowProfile
from widgets.attention.row_profile import PITCH, RowBars, bars
from widgets.palette import DARK

from .hand import mouse, profile, texts


def row(probabilities, content=None):
    values = np.array(probabilities, dtype=np.float32)
    other = np.array(content if content is not None else probabilities, dtype=np.float32)
    return RowProfile(
        layer=0, head=0, query=len(values) - 1, probabilities=values, content_scores=other, position_scores=-other
    )


@pytest.fixture
def widget(qtbot):
    made = RowBars()
    qtbot.addWidget(made)
    made.show_palette(DARK)
    made.resize(240, 5 * PITCH)
    made.show_tokens(texts(12))
    return made


def test_the_strongest_keys_come_first_and_fill_the_room():
    made = bars(row([0.1, 0.4, 0.3, 0.2]), "probability", 3)
    assert [bar.key for bar in made] == [1, 2, 3]
    assert [bar.start for bar in made] == [0, 0, 0]
    assert [bar.end for bar in made] == pytest.approx([1, 0.75, 0.5])


def test_scores_grow_from_the_middle_and_keep_the_order_of_probability():
    made = bars(row([0.1, 0.4, 0.5], content=[4.0, -2.0, 1.0]), "content", 3)
    assert [bar.key for bar in made] == [2, 1, 0]
    assert [(bar.start, bar.end) for bar in made] == [(0.5, 0.625), (0.25, 0.5), (0.5, 1.0)]


def test_equal_probabilities_keep_the_order_of_the_text():
    assert [bar.key for bar in bars(row([0.25] * 4), "probability", 4)] == [0, 1, 2, 3]


def test_scores_that_are_all_zero_do_not_divide_by_zero():
    assert {bar.end for bar in bars(row([0.5, 0.5], content=[0, 0]), "position", 2)} == {0.5}


def test_as_many_bars_as_fit(widget):
    widget.show_row(profile(), "probability")
    assert len(widget.shown_bars()) == 5
    widget.resize(240, 2 * PITCH)
    assert len(widget.shown_bars()) == 2


def test_a_bar_has_the_colour_of_its_probability(widget):
    widget.show_row(row([0.0, 1.0]), "probability")
    room = widget._room()
    colour = widget.grab().toImage().pixelColor(int(room.center().x()), PITCH // 2)
    assert colour.name() == DARK.sequential[-1]


def test_a_click_and_the_mouse_tell_the_key(widget, qtbot):
    widget.show_row(row([0.1, 0.7, 0.2]), "probability")
    with qtbot.waitSignal(widget.key_hovered) as told:
        mouse(widget, QEvent.Type.MouseMove, QPointF(30, 1.5 * PITCH))
    assert told.args == [2]
    with qtbot.waitSignal(widget.key_chosen) as told:
        mouse(widget, QEvent.Type.MouseButtonPress, QPointF(30, 0.5 * PITCH), held=True)
    assert told.args == [1]
    with qtbot.waitSignal(widget.key_hovered) as told:
        mouse(widget, QEvent.Type.MouseMove, QPointF(30, 4.5 * PITCH))
    assert told.args == [None]


def test_without_a_query_it_says_what_to_do(widget):
    widget.show_row(None, "probability")
    image = widget.grab().toImage()
    assert DARK.muted in {image.pixelColor(x, y).name() for x in range(100) for y in range(PITCH)}
