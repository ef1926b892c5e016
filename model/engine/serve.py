"""Commands in, events out: the engine, which knows neither Qt nor processes."""

import time
from collections.abc import Generator
from typing import assert_never

import torch

from model.engine import answers, lens_answers, threads
from model.engine.about import about
from model.engine.agenda import Agenda, Job
from model.engine.comparing import compare
from model.engine.extract import extract
from model.engine.generate import generate
from model.engine.inbox import Inbox
from model.engine.measure import measure
from model.engine.measure_attention import measure_attention
from model.engine.opened import opening
from model.engine.profile import profile
from model.engine.reopening import reopen
from model.engine.reporter import CONGESTED_SECONDS
from model.engine.runs import Engine
from model.engine.verify import verify
from model.engine.warm import warm_up
from model.messages import (
    AggregateAttention,
    AskHeads,
    Command,
    CompareAttentions,
    Describe,
    Event,
    Extract,
    Generate,
    Measure,
    MeasureAttention,
    MeasureDrift,
    OpenCheckpoint,
    OpenRecording,
    ProfileExperts,
    ReadAbout,
    Ready,
    ShowAttention,
    ShowCell,
    ShowLatentMap,
    ShowLatents,
    ShowPicture,
    ShowRanks,
    ShowReading,
    ShowRow,
    ShowScores,
    Shutdown,
    Stop,
    SurveyHeads,
    Verify,
)


def serve(inbox: Inbox) -> Generator[Event, None, None]:
    """Answer commands until Shutdown. Every answer repeats its command's request number.

    Runs and proofs happen one after the other, with the model that is open when they begin; loads happen beside
    them, questions in between. A question that a newer one of the same kind replaces is not answered.
    """
    engine = Engine()
    agenda = Agenda(can_run=lambda: engine.model is not None)
    yield _ready()
    try:
        while True:
            match inbox.take(wait=agenda.idle):
                case None:
                    yield from _advance(agenda, inbox)
                case Shutdown():
                    return
                case Stop() as stop:
                    yield from agenda.stop(stop.target)
                case command:
                    _put(command, engine, agenda, inbox)
    finally:
        agenda.close()
        engine.scratch.close()


def _advance(agenda: Agenda, inbox: Inbox) -> list[Event]:
    """One piece of work. Questions wait while the asker is behind, since each answer is a frame more."""
    behind = inbox.congested()
    if behind and not agenda.running:
        time.sleep(CONGESTED_SECONDS)
        return []
    return agenda.advance(questions=not behind)


def _put(command: Command, engine: Engine, agenda: Agenda, inbox: Inbox) -> None:
    """Every command that means work, as a job."""
    request = command.request
    match command:
        case Generate():
            agenda.add_run(Job(request, generate(command, engine, inbox)))
        case OpenCheckpoint():
            warm_up()
            agenda.add_load(Job(request, opening(command, engine.keep_model)))
        case OpenRecording():
            warm_up()
            agenda.add_run(Job(request, reopen(command, engine, inbox)))
        case Verify():
            agenda.add_run(Job(request, verify(command, engine)))
        case Measure():
            agenda.add_run(Job(request, measure(command, engine)))
        case ProfileExperts():
            agenda.add_load(Job(request, profile(command, engine)))  # beside runs, as a load goes
        case CompareAttentions():
            agenda.add_load(Job(request, compare(command)))  # beside runs too: it needs no open model
        case ReadAbout():
            agenda.add_question(Job(request, about(command)))
        case MeasureAttention():
            agenda.add_run(Job(request, measure_attention(command)))
        case Describe():
            agenda.add_question(Job(request, answers.describe(command)))
        case ShowAttention():
            topic = ("attention", command.run, command.gallery)
            agenda.add_question(Job(request, answers.show_attention(command, engine), topic))
        case ShowRow():
            agenda.add_question(Job(request, answers.show_row(command, engine), ("row", command.run)))
        case ShowScores():
            agenda.add_question(Job(request, answers.show_scores(command, engine), ("scores", command.run)))
        case ShowLatents():
            agenda.add_question(Job(request, answers.show_latents(command, engine)))
        case (
            ShowPicture()
            | ShowCell()
            | SurveyHeads()
            | AggregateAttention()
            | ShowLatentMap()
            | ShowRanks()
            | ShowReading()
            | MeasureDrift()
            | AskHeads()
        ):
            agenda.add_question(Job(request, lens_answers.answer(command, engine), ("lens", command.slot)))
        case Extract():
            agenda.add_question(Job(request, extract(command, engine)))
        case Stop() | Shutdown():
            raise AssertionError("serve handles these itself")
        case _:
            assert_never(command)


def _ready() -> Ready:
    cuda = [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    return Ready(devices=["cpu", *cuda], threads=threads.ALL, torch_version=str(torch.__version__))
