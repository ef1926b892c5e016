"""Questions about attention and latents at any length, answered in stages between the steps of what goes on."""

import time
from collections.abc import Iterator
from typing import assert_never

from model.engine.agenda import Work
from model.engine.latent_answers import ask_heads, measure_drift, show_latent_map, show_ranks, show_reading
from model.engine.runs import Engine
from model.engine.survey_answers import aggregate_attention, survey
from model.lens_messages import (
    AggregateAttention,
    AskHeads,
    CellShown,
    MeasureDrift,
    PictureShown,
    Question,
    ShowCell,
    ShowLatentMap,
    ShowPicture,
    ShowRanks,
    ShowReading,
    SurveyHeads,
)
from model.lenses import attention
from model.lenses.arithmetic import arithmetic
from model.lenses.picture import HeadPicture, Wanted, check, pictures
from model.lenses.reader import HeadReader
from model.lenses.rounding import rounding_error
from model.lenses.scorer import Scorer
from model.messages import Array
from model.problems import Problem


def answer(command: Question, engine: Engine) -> Work:
    """The stages of one answer. Raises Problem for what the run does not have."""
    match command:
        case ShowPicture():
            return _picture(command, engine)
        case ShowCell():
            return _cell(command, engine)
        case SurveyHeads():
            return survey(command, engine)
        case AggregateAttention():
            return aggregate_attention(command, engine)
        case ShowLatentMap():
            return show_latent_map(command, engine)
        case ShowRanks():
            return show_ranks(command, engine)
        case ShowReading():
            return show_reading(command, engine)
        case MeasureDrift():
            return measure_drift(command, engine)
        case AskHeads():
            return ask_heads(command, engine)
        case _:
            assert_never(command)


def _picture(command: ShowPicture, engine: Engine) -> Work:
    began = time.monotonic()
    wanted = Wanted(command.queries, command.keys, command.cell, command.quantity, command.reduction)
    check(wanted, len(command.heads))
    heads = list(_heads(command, wanted, engine))
    error, told = 0.0, False
    for stage in pictures(heads, minus=list(_subtracted(command, wanted, engine))):
        if stage is None:
            yield None
            continue
        if (told or stage.final) and not error and heads[0].scorer.arithmetic == "bf16":
            error = rounding_error(heads[0].scorer, command.queries)  # not before there is something to see
        yield PictureShown(
            request=command.request,
            run=command.run,
            layer=command.layer,
            heads=command.heads,
            queries=command.queries,
            keys=command.keys,
            cell=command.cell,
            quantity=command.quantity,
            reduction=command.reduction,
            values=Array.of(stage.values),
            rows_done=stage.rows_done,
            rows_total=command.queries[1] - command.queries[0],
            arithmetic=heads[0].scorer.arithmetic,
            final=stage.final,
            seconds=time.monotonic() - began,
            kept_bytes=engine.kept.nbytes,
            bf16_error=error,
            slot=command.slot,
            minus=command.minus,
        )
        told = True


def _heads(command: ShowPicture, wanted: Wanted, engine: Engine) -> Iterator[HeadPicture]:
    run = engine.run(command.run)
    projections = run.for_attention()
    ranges = (command.queries, command.keys)
    attention.check(run.recording, layer=command.layer, heads=command.heads, ranges=ranges)
    for head in command.heads:
        reader = HeadReader(run.recording, projections, layer=command.layer, head=head)
        how = arithmetic(reader.device, exact=command.exact)
        yield HeadPicture(Scorer(reader, engine.kept, arithmetic=how), wanted, engine.kept)


def _subtracted(command: ShowPicture, wanted: Wanted, engine: Engine) -> Iterator[HeadPicture]:
    if command.minus is None:
        return
    other = command.minus
    run = engine.run(other.run)
    attention.check(run.recording, layer=other.layer, heads=(other.head,), ranges=(command.queries, command.keys))
    reader = HeadReader(run.recording, run.for_attention(), layer=other.layer, head=other.head)
    how = arithmetic(reader.device, exact=command.exact)
    for _ in command.heads:
        yield HeadPicture(Scorer(reader, engine.kept, arithmetic=how), wanted, engine.kept)


def _cell(command: ShowCell, engine: Engine) -> Work:
    run = engine.run(command.run)
    if command.key > command.query or command.key < 0:
        raise Problem(f"Token {command.query} does not see token {command.key}; choose one before it.")
    probabilities, content, position = attention.row(
        run.recording, run.for_attention(), layer=command.layer, head=command.head, query=command.query
    )
    yield CellShown(
        request=command.request,
        run=command.run,
        layer=command.layer,
        head=command.head,
        query=command.query,
        key=command.key,
        probability=float(probabilities[command.key]),
        content=float(content[command.key]),
        position=float(position[command.key]),
        rank=1 + int((probabilities > probabilities[command.key]).sum()),
        seen=command.query + 1,
        slot=command.slot,
    )
