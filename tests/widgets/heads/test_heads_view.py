import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from widgets.heads.data import HeadScores, PairScores, ordered
from widgets.heads.heads_view import HeadsView
from widgets.heads.pair_question import find_token
from widgets.palette import DARK, LIGHT
from widgets.selection import Selection

TEXTS = ["The", " king", " said", " the", " king", " 7"]


def scores(layers=3, heads=4):
    values = {
        (layer, head): {"induction": (layer * heads + head) / 12, "entropy": float(head)}
        for layer in range(layers)
        for head in range(heads)
    }
    labels = dict.fromkeys(values, ("mixed", 0.2)) | {(1, 2): ("previous token", 0.93)}
    return HeadScores(values=values, labels=labels, basis="every row")


def small_map(value=0.5):
    values = np.full((8, 8), value, dtype=np.float32)
    values[np.triu_indices(8, 1)] = np.nan
    return values


@pytest.fixture
def view(qtbot):
    made = HeadsView()
    qtbot.addWidget(made)
    made.resize(640, 400)
    made.show_palette(DARK)
    made.show_heads(3, 4, 6)
    made.show_tokens(TEXTS)
    made.show_scores(scores())
    made.show_mode("all")
    made.show_selection(Selection(layer=1, head=2))
    made.show()
    return made


def test_heads_are_sorted_by_a_score_and_unknown_ones_come_last():
    some = scores()
    places = [(0, 0), (2, 3), (1, 1), (9, 9)]
    assert ordered(places, some, "induction") == [(2, 3), (1, 1), (0, 0), (9, 9)]
    assert ordered(places, some, "entropy", ascending=True) == [(0, 0), (1, 1), (2, 3), (9, 9)]
    assert ordered(places, some, "model") == places


def test_the_sentence_counts_what_is_drawn_and_names_the_basis(view):
    assert view.sentence() == "3 layers × 4 heads · 6 tokens · 0 of 12 drawn · scores: every row"
    view.show_thumbnails({(0, 0): small_map(), (0, 1): small_map()})
    assert "2 of 12 drawn" in view.sentence()
    view.show_mode("layer")
    assert view.sentence().startswith("layer 1 · 4 heads")


def test_layers_in_view_without_pictures_are_asked_for_first(view, qtbot):
    mosaic = view._mosaic
    view.show_thumbnails({(0, head): small_map() for head in range(4)})
    with qtbot.waitSignal(mosaic.layers_wanted) as told:
        mosaic._soon.start()
    assert told.args == [(1, 2, 0)]


def test_a_click_and_the_arrows_open_a_head(view, qtbot):
    mosaic = view._mosaic
    with qtbot.waitSignal(view.head_chosen) as told:
        QTest.mouseClick(mosaic.viewport(), Qt.MouseButton.LeftButton, pos=mosaic.box_of((2, 1)).center())
    assert told.args == [2, 1]
    with qtbot.waitSignal(view.head_chosen) as told:
        QTest.keyClick(mosaic, Qt.Key.Key_Right)
    assert told.args == [1, 3]


def test_hover_tells_the_label_and_how_each_score_is_computed(view):
    view._mosaic._set_hover((1, 2))
    tooltip = view._mosaic.viewport().toolTip()
    assert tooltip.startswith("layer 1 · head 2 · previous token (every row)")
    assert "induction 0.50: mean probability on what followed earlier occurrences" in tooltip


def test_thumbnails_are_painted_where_they_lie_in_either_theme(view):
    view.show_thumbnails({(2, 1): small_map(1.0)})
    box = view._mosaic.box_of((2, 1))
    for palette in (DARK, LIGHT):
        view.show_palette(palette)
        image = view._mosaic.viewport().grab().toImage()
        assert image.pixelColor(box.left() + 3, box.bottom() - 3).name() == palette.sequential[-1]


@pytest.mark.parametrize(
    ("typed", "before", "found"),
    [("4", None, 4), ("king", None, 4), ("king", 3, 1), ("#2", None, 2), ("queen", None, None), ("9", None, None),
     ("7", None, 5), ("", None, None)],
)  # fmt: skip
def test_a_token_is_found_by_position_or_by_text(typed, before, found):
    assert find_token(TEXTS, typed, before=before) == found


def test_two_typed_tokens_are_asked_about_and_missing_ones_are_named(view, qtbot):
    view.show_mode("pair")
    with qtbot.waitSignal(view.pair_chosen) as told:
        view._question.type_pair("king", "The")
    assert told.args == [4, 0]
    with qtbot.assertNotEmitted(view.pair_chosen):
        view._question.type_pair("1", "said")
    assert view._question.note() == "No token “said” at or before 1."


def test_the_answer_is_ranked_over_all_layers(view, qtbot):
    probabilities = np.full((3, 4), np.nan, dtype=np.float32)
    probabilities[0, 3], probabilities[2, 1] = 0.2, 0.9
    zeros = np.zeros((3, 4), dtype=np.float32)
    pair = PairScores(
        query=4, key=0, probabilities=probabilities, content_scores=zeros, position_scores=zeros,
        ranks=np.ones((3, 4), dtype=np.int32),
    )  # fmt: skip
    view.show_mode("pair")
    view.show_pair(pair)
    assert pair.ranked()[:2] == [(2, 1), (0, 3)]
    assert view.sentence() == "query 4 → key 0 · 12 heads · strongest 2·1 with p 0.900"
    view.show_selection(Selection(layer=2, head=1))
    with qtbot.waitSignal(view.head_chosen) as told:
        QTest.keyClick(view._list, Qt.Key.Key_Down)
    assert told.args == [0, 3]
