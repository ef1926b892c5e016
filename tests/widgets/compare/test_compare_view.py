import numpy as np
import pytest
from PySide6.QtCore import QPointF

from tests.widgets.attention.hand import texts, wheel, whole_map
from widgets.compare.compare_view import CompareView
from widgets.compare.data import PinnedHead
from widgets.palette import DARK


@pytest.fixture
def view(qtbot):
    made = CompareView()
    qtbot.addWidget(made)
    made.resize(900, 420)
    made.show_palette(DARK)
    made.show_pins((PinnedHead("run-1", "a prompt", 5, 3, 400), PinnedHead("run-1", "a prompt", 4, 0, 400)))
    made.show_tokens(texts(400))
    made.show()
    return made


def test_nothing_pinned_is_a_hint_and_no_difference(qtbot):
    empty = CompareView()
    qtbot.addWidget(empty)
    assert empty.is_empty()


def test_pinned_heads_zoom_together(view, qtbot):
    first, second = (card.plot for card in view._cards[:2])
    with qtbot.waitSignal(view.range_wanted):
        wheel(first, QPointF(first.layout_now().square.center()), 8)
    assert first.zoom() is not None
    assert second.zoom() == first.zoom() == view._difference.plot.zoom()


def test_the_difference_is_diverging_around_zero(view):
    view.show_mode("difference")
    values = np.zeros((400, 400), dtype=np.float32)
    values[300, 100] = -0.5
    view.show_difference(whole_map(400, values=values, quantity="difference"))
    plot = view._difference.plot
    assert plot.isVisible()
    assert plot.scale().limit == 0.5
    assert view.sentence() == "probabilities of 5·3 minus 4·0, centred at 0"


def test_heads_of_two_runs_are_named_with_their_runs(view):
    view.show_pins((PinnedHead("run-1", "one", 5, 3, 400), PinnedHead("run-2", "two", 5, 3, 300)))
    assert view.sentence() == "probabilities of 5·3 · one, 5·3 · two"
    view.show_tokens(texts(400))
    assert [len(card.plot._texts) for card in view._cards[:2]] == [400, 300]
