import numpy as np
import pytest

from widgets.attention.data import ScoreParts, Stage
from widgets.attention.part_maps import looks_by
from widgets.palette import DARK
from widgets.sums.data import Sums
from widgets.sums.sums_view import SumsView


def sums(stage):
    return Sums(
        layer=1, head=2, queries=np.array([0, 2, 4]), received=np.array([2.0, 0.5, 0.5, 0.0, 0.0]),
        seen=np.array([3, 2, 2, 1, 1]), entropy=np.ones(3, np.float32), distance=np.array([0.5, 0.25, 0.25]),
        edges=np.array([0, 1, 2, 4]), sinks=np.array([0]), stage=stage,
    )  # fmt: skip


def parts(content, position):
    return ScoreParts(
        layer=1, head=2, queries=np.array([0, 2, 4]), content_variance=np.array(content, np.float32),
        position_variance=np.array(position, np.float32),
    )  # fmt: skip


def test_how_a_head_looks_is_said_with_its_number_or_not_at_all():
    assert looks_by(parts([3, 3, 3], [1, 1, 1])) == "looks by meaning: content has 75% of the score variance"
    assert looks_by(parts([1, 1, 1], [4, 4, 4])) == "looks by position: position has 80% of the score variance"
    assert looks_by(parts([0, 0, 0], [0, 0, 0])) == ""


def test_a_query_whose_scores_do_not_vary_has_no_share():
    share = parts([0, 1, 3], [0, 1, 1]).content_share()
    assert np.isnan(share[0])
    assert share[1:].tolist() == [0.5, 0.75]


def test_mean_attention_counts_only_the_queries_that_see_a_key():
    mean = sums(Stage(3, 5, "")).mean_received()
    assert mean.tolist() == pytest.approx([2 / 3, 0.25, 0.25, 0.0, 0.0])


def test_the_panel_names_its_stage_its_sinks_and_hovered_numbers(qtbot):
    view = SumsView()
    qtbot.addWidget(view)
    view.resize(700, 420)
    view.show_palette(DARK)
    view.show_tokens(["The", " king", " said", " the", " queen"])
    view.show_sums(sums(Stage(3, 5, "")), parts([1, 1, 3], [1, 1, 1]))
    assert view.sentence().startswith("layer 1 · head 2 · 5 tokens · 3 of 5 rows · looks by meaning")
    assert view._sinks.full_text() == "most looked at: 0 “The” 0.667"
    with qtbot.waitSignal(view.hovered_text) as told:
        view._distance.hovered.emit(2)
    assert told.args == ["25.0% of the attention goes 2–3 tokens back"]
    with qtbot.waitSignal(view.token_chosen) as told:
        view._entropy.chosen.emit(1)
    assert told.args == [2]
    assert not view.grab().isNull()
