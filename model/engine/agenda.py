"""What the engine does next: one piece of the current run, or one piece of a small question.

Work is a generator that stops after every piece of at most 50 ms, with an event when there is one to
tell. Runs are done one after the other, and so are loads; a run and a load share the time. Questions come
in between, but never take more than a third of the time while either goes on; those that have been answered
by no stage yet come before those that are only refined.
"""

import logging
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass

import torch

from model.messages import (
    About,
    AttentionsCompared,
    AttentionShown,
    CellShown,
    Described,
    Event,
    Extracted,
    Failed,
    Finished,
    LatentMapShown,
    LatentsShown,
    Measured,
    Opened,
    Profiled,
    ReadingShown,
    RowShown,
    ScoresShown,
    Started,
    Verified,
)
from model.problems import Problem

Work = Generator[Event | None, None, None]

RUN_SHARE = 2.0  # seconds for the run after each second that questions took
CREDIT = 0.1  # seconds at most that a run may have had more than that
LAST = (
    *(Described, Opened, Finished, AttentionShown, RowShown, ScoresShown, LatentsShown, Verified, Extracted, Measured),
    *(Profiled, AttentionsCompared, About, CellShown, LatentMapShown, ReadingShown),
)
OUT_OF_MEMORY = "Not enough memory for this: use a shorter prompt, a smaller model or a smaller dtype."
BUG = "The engine made a mistake ({name}) and gave this up; the log on stderr has the details."


class Stopped(Exception):
    """Thrown into a piece of work at its last yield when it is to end now."""


@dataclass(slots=True, eq=False)
class Job:
    """Work in progress. `topic`: a newer question of the same topic replaces this one, unanswered."""

    request: int
    work: Work
    topic: tuple[object, ...] | None = None
    run: str = ""  # set once the run has started; from then on its last event is Finished
    told: bool = False  # whether a question has been answered by a stage, so that what is left is refinement


class Agenda:
    """Jobs in hand. Every method that works returns the events there are to tell.

    Runs wait for the load in hand unless they `can_run` without it, which is asked before every piece.
    """

    def __init__(self, *, can_run: Callable[[], bool] = lambda: True) -> None:
        self._can_run = can_run
        self._runs: deque[Job] = deque()
        self._loads: deque[Job] = deque()
        self._lead = 0.0  # seconds that the run had more than the load since both go on
        self._questions: deque[Job] = deque()
        self._owed = 0.0  # seconds that the run may have before the next question

    @property
    def idle(self) -> bool:
        """Whether there is nothing to do."""
        return not self._runs and not self._loads and not self._questions

    @property
    def running(self) -> bool:
        """Whether a run, a load or a proof is going on."""
        return bool(self._runs or self._loads)

    def add_run(self, job: Job) -> None:
        """Queue long work behind what is going on."""
        self._runs.append(job)

    def add_load(self, job: Job) -> None:
        """Queue a load behind other loads; runs go on beside it."""
        self._loads.append(job)

    def add_question(self, job: Job) -> None:
        """Queue a small question; it takes the place of an older one of the same topic."""
        for index, older in enumerate(self._questions):
            if job.topic is not None and older.topic == job.topic:
                older.work.close()
                self._questions[index] = job
                return
        self._questions.append(job)

    def stop(self, target: int) -> list[Event]:
        """End the job of this request; nothing happens when it has ended already."""
        for jobs in (self._runs, self._loads, self._questions):
            for job in jobs:
                if job.request == target:
                    jobs.remove(job)
                    return list(_ending(job))
        return []

    def close(self) -> None:
        """Drop everything, so that files are closed."""
        for job in (*self._runs, *self._loads, *self._questions):
            job.work.close()

    def advance(self, *, questions: bool) -> list[Event]:
        """Do one piece. With `questions` false only runs and loads go on."""
        began = time.monotonic()
        ask = questions and bool(self._questions) and (self._owed <= 0 or not self.running)
        jobs = self._questions if ask else self._long()
        if not jobs:
            return []
        if ask:
            self._bring_unanswered_forward()
        events, more = _piece(jobs[0])
        if not more:
            jobs.popleft()
        elif ask:
            jobs[0].told = jobs[0].told or bool(events)
            jobs.rotate(-1)  # a short question is answered while a long one goes on
        seconds = time.monotonic() - began
        self._count(seconds, ask=ask)
        if not (self._runs and self._loads):
            self._lead = 0.0
        elif not ask:
            self._lead += seconds if jobs is self._runs else -seconds
        return events

    def _bring_unanswered_forward(self) -> None:
        """The first question that has no stage yet, if there is one: a first picture comes before any refinement."""
        for at, job in enumerate(self._questions):
            if not job.told:
                self._questions.rotate(-at)
                return

    def _count(self, seconds: float, *, ask: bool) -> None:
        """What is owed to runs and loads after a piece; what one took too much is given back, up to a limit.

        Else a question of many small pieces would wait for a whole piece of the run after each of them.
        """
        if not self.running:
            self._owed = 0.0
        elif ask:
            self._owed += seconds * RUN_SHARE
        else:
            self._owed = max(self._owed - seconds, -CREDIT)

    def _long(self) -> deque[Job]:
        """Of a run and a load the one that has had less time."""
        if not self._loads:
            return self._runs
        return self._runs if self._runs and self._lead <= 0 and self._can_run() else self._loads


def _piece(job: Job) -> tuple[list[Event], bool]:
    """One piece of a job: what it tells, and whether there is more to do."""
    return _guarded(job, lambda: next(job.work))


def _ending(job: Job) -> Iterator[Event]:
    """The last events of a job that is asked to stop."""
    events, more = _guarded(job, lambda: job.work.throw(Stopped()))
    yield from events
    while more:
        events, more = _piece(job)
        yield from events


def _guarded(job: Job, proceed: Callable[[], Event | None]) -> tuple[list[Event], bool]:
    """The one place where an exception of any kind becomes a sentence."""
    try:
        event = proceed()
    except StopIteration:
        return [], False
    except Stopped:
        return [_failure(job, "Stopped before it was done.")], False
    except Problem as problem:
        return [_failure(job, str(problem))], False
    except (MemoryError, torch.OutOfMemoryError):
        return [_failure(job, OUT_OF_MEMORY)], False
    except Exception as error:  # a bug must not take the open model and the recordings along
        logging.getLogger(__name__).exception("request %d", job.request)
        return [_failure(job, BUG.format(name=type(error).__name__))], False
    if isinstance(event, Started):
        job.run = event.info.run
    if isinstance(event, LAST):
        job.work.close()  # so that a stop which comes too late finds nothing to stop
        return [event], False
    return ([] if event is None else [event]), True


def _failure(job: Job, sentence: str) -> Event:
    if job.run:
        return Finished(request=job.request, run=job.run, reason="failed", text="", note=sentence)
    return Failed(request=job.request, message=sentence)
