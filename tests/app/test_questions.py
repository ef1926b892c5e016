"""Which questions are asked, when, and which answers count."""

from dataclasses import replace

import numpy as np
import pytest
from msgspec import structs

from app.questions import Questions, View, Window
from app.selecting import select
from app.state import Pin, State, apply
from model.messages import (
    AggregateAttention,
    Array,
    RowShown,
    ShowCell,
    ShowPicture,
    ShowRow,
    ShowScores,
    Stop,
    SurveyHeads,
)
from tests.app.events import finished, grown, opened, started
from tests.app.lens_answers import picture, survey


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def questions(clock: Clock) -> Questions:
    numbers = iter(range(1, 1000))
    return Questions(clock, lambda: next(numbers))


def running() -> State:
    state = replace(apply(State(), opened()), engine="ready")
    return apply(apply(state, started()), grown(0, 3, step=0))


def answer(request: int) -> RowShown:
    nothing = Array.of(np.zeros(1, np.float32))
    return RowShown(
        request=request,
        run="run-1",
        layer=1,
        head=0,
        query=0,
        probabilities=nothing,
        content_scores=nothing,
        position_scores=nothing,
    )


def test_a_new_run_asks_for_map_gallery_row_and_scores(questions):
    commands, waiting = questions.due(running(), View(map=Window(cell=(2, 2))))
    assert [type(command) for command in commands] == [ShowPicture, SurveyHeads, ShowRow, ShowScores]
    whole, gallery = commands[:2]
    assert (whole.queries, whole.keys, whole.cell) == ((0, 3), (0, 3), (2, 2))
    assert (gallery.slot, gallery.layers) == ("gallery", [1])
    assert not waiting


def test_the_same_is_not_asked_twice(questions):
    state = running()
    questions.due(state, View())
    assert questions.due(state, View()) == ([], False)


def test_growth_waits_for_the_answer_and_for_as_long_as_it_took(questions, clock):
    commands, _ = questions.due(running(), View())
    state = apply(running(), grown(3, 1, step=1))
    assert questions.due(state, View()) == ([], True)
    clock.now += 1.0
    for command in commands:
        assert questions.answered(answer(command.request))
    clock.now += 0.9
    assert questions.due(state, View()) == ([], True)
    clock.now += 0.2
    assert len(questions.due(state, View())[0]) == 4


def test_the_end_of_a_run_asks_for_the_rest_at_once(questions, clock):
    commands, _ = questions.due(running(), View())
    state = apply(apply(running(), grown(3, 1, step=1)), finished())
    clock.now += 1.0
    for command in commands:
        questions.answered(answer(command.request))
    assert questions.due(state, View())[0][0].queries == (0, 4)


def test_another_layer_is_asked_at_once_and_the_old_answer_no_longer_counts(questions):
    state = running()
    old = questions.due(state, View())[0][0]
    state = select(state, replace(state.selection, layer=2))
    commands, _ = questions.due(state, View())
    assert [getattr(command, "layer", None) or command.layers[0] for command in commands] == [2] * 4
    assert not questions.answered(answer(old.request))
    assert questions.answered(answer(commands[0].request))


def test_a_dense_layer_has_no_scores_to_ask_for(questions):
    state = select(running(), replace(running().selection, layer=0))
    assert not any(isinstance(command, ShowScores) for command in questions.due(state, View())[0])


def test_nothing_is_asked_of_a_dead_engine(questions):
    assert questions.due(replace(running(), engine="dead"), View()) == ([], False)


def test_the_cell_under_the_cursor_is_asked_for_one_at_a_time(questions, clock):
    state = replace(running(), hovered=(1, 0))
    asked = [command for command in questions.due(state, View())[0] if isinstance(command, ShowCell)]
    assert [(command.query, command.key) for command in asked] == [(1, 0)]
    state = replace(state, hovered=(2, 1))
    assert questions.due(state, View()) == ([], True)
    assert questions.answered(answer(asked[0].request)) == "cell"
    clock.now += 1
    assert [(command.query, command.key) for command in questions.due(state, View())[0]] == [(2, 1)]
    left = questions.due(replace(state, hovered=None), View())[0]
    assert [type(command) for command in left] == [Stop]


def test_a_question_is_open_until_its_last_stage(questions):
    asked = questions.due(running(), View())[0][0]
    assert questions.answered(picture(asked, rows_done=1)) == "map"
    assert questions.is_open("map")
    assert questions.answered(picture(asked)) == "map"
    assert not questions.is_open("map")
    assert questions.answered(picture(asked)) is None


def test_a_zoom_is_asked_at_once_though_the_overview_is_still_on_its_way(questions):
    state = running()
    first = questions.due(state, View())[0][0]
    zoomed = View(map=Window((1, 3), (0, 2), (1, 1)))
    commands, _ = questions.due(state, zoomed)
    assert [(command.queries, command.keys) for command in commands] == [((1, 3), (0, 2))]
    late = picture(first)
    assert questions.answered(late) is None
    assert questions.asked(late)


def test_what_nobody_looks_at_is_stopped_and_asked_anew(questions):
    sums = View(panels=frozenset({"sums"}))
    asked = [command for command in questions.due(running(), sums)[0] if isinstance(command, AggregateAttention)]
    stops = [command for command in questions.due(running(), View())[0] if isinstance(command, Stop)]
    assert asked[0].request in [stop.target for stop in stops]
    again = questions.due(running(), sums)[0]
    assert any(isinstance(command, AggregateAttention) for command in again)


def test_the_mosaic_asks_for_what_is_in_view_first_and_for_nothing_twice(questions):
    state = running()
    state = replace(state, choices=replace(state.choices, heads_mode="all"))
    view = View(layers=(2,), panels=frozenset({"heads"}))
    asked = next(command for command in questions.due(state, view)[0] if getattr(command, "slot", "") == "mosaic")
    assert asked.layers == [2, 0, 1]
    for layer in (2, 0, 1):
        state = apply(state, survey(structs.replace(asked, layers=[layer]), tokens=3))
    moved = replace(view, layers=(1,))
    assert not any(isinstance(command, SurveyHeads) for command in questions.due(state, moved)[0])


def test_both_scores_are_asked_for_side_by_side(questions):
    state = running()
    state = replace(state, choices=replace(state.choices, quantity="both", reduction="sum"))
    pictures = [command for command in questions.due(state, View())[0] if isinstance(command, ShowPicture)]
    assert [(each.slot, each.quantity, each.reduction) for each in pictures] == [
        ("content", "content", "mean"), ("position", "position", "mean")
    ]  # fmt: skip


def test_pinned_heads_and_their_difference_are_asked_for_where_they_are_shown(questions):
    state = replace(running(), pins=(Pin("run-1", 0, 1), Pin("run-1", 2, 3)))
    view = View(panels=frozenset({"compare"}))
    pictures = [command for command in questions.due(state, view)[0] if isinstance(command, ShowPicture)]
    assert [(each.slot, each.layer, each.heads) for each in pictures] == [("pin:0", 0, [1]), ("pin:1", 2, [3])]
    state = replace(state, choices=replace(state.choices, compare_mode="difference"))
    difference = next(each for each in questions.due(state, view)[0] if isinstance(each, ShowPicture))
    assert (difference.heads, difference.minus.layer, difference.minus.head) == ([1], 2, 3)


def test_what_grew_while_an_answer_was_on_its_way_is_due_until_it_is_asked(questions, clock):
    state, view = running(), View()
    commands, _ = questions.due(state, view)
    first = next(command for command in commands if isinstance(command, ShowPicture))
    assert not questions.is_due("map", state, view)
    state = apply(apply(state, grown(3, 3, step=1)), finished())
    questions.answered(picture(first))
    assert not questions.is_open("map")
    assert questions.is_due("map", state, view)
    questions.due(state, view)
    assert questions.is_open("map")
    assert not questions.is_due("map", state, view)
    assert not questions.is_due("map", state, View(panels=frozenset()))
    assert not questions.is_due("map", State(), view)
