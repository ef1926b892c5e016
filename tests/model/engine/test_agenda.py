from itertools import count
from typing import Any

import pytest

from model.engine import agenda as module
from model.engine.agenda import Agenda, Job, Work
from model.messages import Heartbeat, Verified


class Clock:
    """Time that passes only when a piece of work says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def pieces(self, seconds: float, name: str, log: list[str]) -> Work:
        for _ in count():
            self.now += seconds
            log.append(name)
            yield None


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module.time, "monotonic", clock.monotonic)
    return clock


def test_long_questions_leave_a_run_two_thirds_of_the_time(clock: Clock) -> None:
    agenda, log = Agenda(), list[str]()
    agenda.add_run(Job(1, clock.pieces(0.004, "run", log)))
    agenda.add_question(Job(2, clock.pieces(0.050, "question", log)))
    while clock.now < 10:
        agenda.advance(questions=True)
    asked = 0.050 * log.count("question")
    assert asked / clock.now == pytest.approx(1 / 3, abs=0.02)


def test_a_question_of_small_pieces_gets_its_third_beside_a_run_of_long_ones(clock: Clock) -> None:
    agenda, log = Agenda(), list[str]()
    agenda.add_run(Job(1, clock.pieces(0.030, "run", log)))
    agenda.add_question(Job(2, clock.pieces(0.001, "question", log)))
    while clock.now < 10:
        agenda.advance(questions=True)
    assert 0.001 * log.count("question") / clock.now == pytest.approx(1 / 3, abs=0.02)


def test_a_first_answer_comes_before_any_refinement() -> None:
    def staged(name: str, log: list[str], *, first: int) -> Work:
        for piece in count(1):
            log.append(name)
            yield Heartbeat(step_age=0.0, resident_bytes=0) if piece == first else None

    agenda, log = Agenda(), list[str]()
    agenda.add_question(Job(1, staged("told", log, first=1)))
    agenda.advance(questions=True)
    for request, name in ((2, "new"), (3, "newer")):
        agenda.add_question(Job(request, staged(name, log, first=2)))
    for _ in range(8):
        agenda.advance(questions=True)
    assert log[1:5] == ["new", "newer", "new", "newer"]
    assert sorted(log[5:]) == ["new", "newer", "told", "told"]


def test_a_run_that_went_on_alone_is_not_kept_waiting_long_by_a_question(clock: Clock) -> None:
    agenda, log = Agenda(), list[str]()
    agenda.add_run(Job(1, clock.pieces(0.030, "run", log)))
    for _ in range(1000):
        agenda.advance(questions=True)
    agenda.add_question(Job(2, clock.pieces(0.001, "question", log)))
    for _ in range(200):
        agenda.advance(questions=True)
    assert 0.03 <= 0.001 * log[1000:].index("run") <= 0.06


def test_questions_owe_nothing_for_the_time_before_a_run(clock: Clock) -> None:
    agenda, log = Agenda(), list[str]()
    agenda.add_question(Job(1, clock.pieces(0.050, "question", log)))
    for _ in range(1000):
        agenda.advance(questions=True)
    agenda.add_run(Job(2, clock.pieces(0.030, "run", log)))
    for _ in range(100):
        agenda.advance(questions=True)
    assert log[1000:].count("question") >= 20


def test_a_question_need_not_wait_for_a_run_to_end(clock: Clock) -> None:
    agenda, log = Agenda(), list[str]()
    agenda.add_run(Job(1, clock.pieces(0.004, "run", log)))
    agenda.advance(questions=True)
    agenda.add_question(Job(2, clock.pieces(0.001, "question", log)))
    agenda.advance(questions=True)
    assert log == ["run", "question"]


def test_questions_wait_while_the_asker_is_behind_and_the_run_goes_on(clock: Clock) -> None:
    agenda, log = Agenda(), list[str]()
    agenda.add_run(Job(1, clock.pieces(0.004, "run", log)))
    agenda.add_question(Job(2, clock.pieces(0.001, "question", log)))
    for _ in range(5):
        agenda.advance(questions=False)
    assert set(log) == {"run"}


def test_runs_are_done_one_after_the_other() -> None:
    def run(name: int) -> Work:
        yield Heartbeat(request=name, step_age=0.0, resident_bytes=0)
        yield Verified(
            request=name, attention_max_abs=0.0, absorbed_max_abs=0.0, routing_equal=True, tokens=1, passed=True
        )

    agenda = Agenda()
    agenda.add_run(Job(1, run(1)))
    agenda.add_run(Job(2, run(2)))
    told: list[Any] = []
    while not agenda.idle:
        told += agenda.advance(questions=True)
    assert [event.request for event in told] == [1, 1, 2, 2]


def test_work_that_waits_can_be_stopped_before_it_begins() -> None:
    begun: list[str] = []

    def work() -> Work:
        begun.append("begun")
        yield None

    agenda = Agenda()
    agenda.add_run(Job(1, work()))
    events = agenda.stop(1)
    assert [event.request for event in events] == [1]
    assert agenda.idle
    assert not begun


def test_a_run_and_a_load_share_the_time(clock: Clock) -> None:
    agenda, log = Agenda(), list[str]()
    agenda.add_run(Job(1, clock.pieces(0.004, "run", log)))
    agenda.add_load(Job(2, clock.pieces(0.020, "load", log)))
    while clock.now < 10:
        agenda.advance(questions=True)
    assert 0.004 * log.count("run") / clock.now == pytest.approx(1 / 2, abs=0.02)


def test_questions_take_at_most_a_third_from_a_run_and_a_load(clock: Clock) -> None:
    agenda, log = Agenda(), list[str]()
    agenda.add_run(Job(1, clock.pieces(0.004, "run", log)))
    agenda.add_load(Job(2, clock.pieces(0.020, "load", log)))
    agenda.add_question(Job(3, clock.pieces(0.050, "question", log)))
    while clock.now < 10:
        agenda.advance(questions=True)
    assert 0.050 * log.count("question") / clock.now == pytest.approx(1 / 3, abs=0.005)


def test_a_load_that_begins_late_does_not_catch_up_with_the_run(clock: Clock) -> None:
    agenda, log = Agenda(), list[str]()
    agenda.add_run(Job(1, clock.pieces(0.010, "run", log)))
    for _ in range(50):
        agenda.advance(questions=True)
    agenda.add_load(Job(2, clock.pieces(0.010, "load", log)))
    for _ in range(10):
        agenda.advance(questions=True)
    assert log[50:].count("run") == 5


def test_a_run_that_needs_a_model_waits_for_the_load_in_hand(clock: Clock) -> None:
    there = False
    agenda, log = Agenda(can_run=lambda: there), list[str]()
    agenda.add_run(Job(1, clock.pieces(0.004, "run", log)))
    agenda.add_load(Job(2, clock.pieces(0.020, "load", log)))
    for _ in range(5):
        agenda.advance(questions=True)
    assert set(log) == {"load"}
    there = True
    agenda.advance(questions=True)
    agenda.advance(questions=True)
    assert "run" in log


def test_a_load_is_stopped_by_its_number_and_the_run_goes_on(clock: Clock) -> None:
    agenda, log = Agenda(), list[str]()
    agenda.add_run(Job(1, clock.pieces(0.004, "run", log)))
    agenda.add_load(Job(2, clock.pieces(0.020, "load", log)))
    for _ in range(4):
        agenda.advance(questions=True)
    assert [event.request for event in agenda.stop(2)] == [2]
    del log[:]
    for _ in range(4):
        agenda.advance(questions=True)
    assert log == ["run"] * 4
