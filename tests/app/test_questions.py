"""Which questions are asked, when, and which answers count."""

from dataclasses import replace

import numpy as np
import pytest

from app.questions import Questions, View
from app.selecting import select
from app.state import State, apply
from model.messages import Array, RowShown, ShowAttention, ShowRow, ShowScores
from tests.app.events import finished, grown, opened, started


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
    commands, waiting = questions.due(running(), View(rows=50, columns=60))
    assert [type(command) for command in commands] == [ShowAttention, ShowAttention, ShowRow, ShowScores]
    whole, gallery = commands[:2]
    assert (whole.queries, whole.keys, whole.rows, whole.columns) == ((0, 3), (0, 3), 50, 60)
    assert gallery.gallery
    assert gallery.heads == [0, 1, 2, 3]
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
    assert [command.queries for command in questions.due(state, View())[0][:2]] == [(0, 4), (0, 4)]


def test_another_layer_is_asked_at_once_and_the_old_answer_no_longer_counts(questions):
    state = running()
    old = questions.due(state, View())[0][0]
    state = select(state, replace(state.selection, layer=2))
    commands, _ = questions.due(state, View())
    assert {command.layer for command in commands} == {2}
    assert not questions.answered(answer(old.request))
    assert questions.answered(answer(commands[0].request))


def test_a_dense_layer_has_no_scores_to_ask_for(questions):
    state = select(running(), replace(running().selection, layer=0))
    assert not any(isinstance(command, ShowScores) for command in questions.due(state, View())[0])


def test_nothing_is_asked_of_a_dead_engine(questions):
    assert questions.due(replace(running(), engine="dead"), View()) == ([], False)


def test_the_row_under_the_cursor_is_asked_for_one_at_a_time(questions, clock):
    state = replace(running(), hovered=1)
    asked = [command for command in questions.due(state, View())[0] if isinstance(command, ShowRow)]
    assert [command.query for command in asked] == [2, 1]
    state = replace(state, hovered=0)
    assert questions.due(state, View()) == ([], True)
    assert questions.answered(answer(asked[1].request)) == "hover"
    clock.now += 1
    assert [command.query for command in questions.due(state, View())[0]] == [0]
    assert questions.due(replace(state, hovered=None), View()) == ([], False)
