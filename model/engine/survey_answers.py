"""All heads of a layer at a glance, and what one head's rows add up to."""

import time

import numpy as np

from model.engine.agenda import Work
from model.engine.runs import Engine
from model.lens_messages import AggregateAttention, Aggregated, Arithmetic, HeadsSurveyed, SurveyHeads
from model.lenses import attention
from model.lenses.aggregate import Totals, aggregate
from model.lenses.arithmetic import arithmetic
from model.lenses.grid import sampled
from model.lenses.reader import HeadReader, Positions
from model.lenses.scorer import Scorer
from model.lenses.survey import Head, look, occurrences, statistics
from model.messages import Array
from model.problems import Problem

TOLD_SECONDS = 0.1  # heads that are done are told together after this long
MOST_EDGE = 512
STAGES = (256, 1024)


def survey(command: SurveyHeads, engine: Engine) -> Work:
    """Heads of the layers asked for, in order, a few with each event."""
    run = engine.run(command.run)
    projections, tokens = run.for_attention(), run.recording.tokens
    if not 0 <= command.edge <= MOST_EDGE:
        raise Problem(f"A thumbnail of {command.edge} cells cannot be drawn; choose from 0 to {MOST_EDGE}.")
    for layer in command.layers:
        attention.check(run.recording, layer=layer, heads=(), ranges=((0, tokens),))
    count = command.rows if 0 < command.rows < tokens else tokens
    queries, occurred = sampled((0, tokens), count), occurrences(run.recording)
    heads, done = run.info.config.heads, 0
    total = heads * len(command.layers)
    for layer in command.layers:
        waiting: dict[int, Head] = {}
        told = time.monotonic()
        for head in range(heads):
            reader = HeadReader(run.recording, projections, layer=layer, head=head)
            how = arithmetic(reader.device, exact=command.exact)
            scorer = Scorer(reader, engine.kept, arithmetic=how)
            for piece in look(
                scorer, occurred, tokens=tokens, count=count, edge=command.edge, quantity=command.quantity
            ):
                if piece is not None:
                    waiting[head] = piece
                yield None
            done += 1
            if done == 1 or head == heads - 1 or time.monotonic() - told > TOLD_SECONDS:
                yield _surveyed(command, layer, waiting, queries, tokens, how, done, total)
                waiting, told = {}, time.monotonic()


def _surveyed(
    command: SurveyHeads,
    layer: int,
    heads: dict[int, Head],
    queries: Positions,
    tokens: int,
    how: Arithmetic,
    done: int,
    total: int,
) -> HeadsSurveyed:
    cell = -(-tokens // command.edge) if command.edge else tokens
    return HeadsSurveyed(
        request=command.request,
        run=command.run,
        layer=layer,
        heads=list(heads),
        tokens=tokens,
        cell=(cell, cell),
        quantity=command.quantity,
        values=Array.of(np.stack([head.thumbnail for head in heads.values()])),
        statistics=statistics(list(heads.values()), queries),
        rows_done=len(queries),
        rows_total=tokens,
        arithmetic=how,
        done=done,
        total=total,
        final=done == total,
        slot=command.slot,
    )


def aggregate_attention(command: AggregateAttention, engine: Engine) -> Work:
    """Sampled rows first, then every one that is asked for, with what is there so far now and then."""
    run = engine.run(command.run)
    projections, tokens = run.for_attention(), run.recording.tokens
    attention.check(run.recording, layer=command.layer, heads=(command.head,), ranges=((0, tokens),))
    wanted = command.rows if 0 < command.rows < tokens else tokens
    reader = HeadReader(run.recording, projections, layer=command.layer, head=command.head)
    scorer = Scorer(reader, engine.kept, arithmetic="float32")
    for count in (*(stage for stage in STAGES if 2 * stage <= wanted), wanted):
        totals = Totals(tokens)
        for _ in aggregate(scorer, sampled((0, tokens), count), totals):
            yield None
        yield _aggregated(command, totals, count, tokens, final=count == wanted)


def _aggregated(command: AggregateAttention, totals: Totals, count: int, tokens: int, *, final: bool) -> Aggregated:
    entropy, _, content, position, covariance, _ = totals.numbers.astype(np.float32)
    whole = totals.distance_B.sum()
    return Aggregated(
        request=command.request,
        run=command.run,
        layer=command.layer,
        head=command.head,
        queries=Array.of(totals.query_Q),
        received=Array.of(totals.received_T),
        seen=Array.of(totals.seen_T),
        entropy=Array.of(entropy),
        distance=Array.of(totals.distance_B / whole if whole else totals.distance_B),
        edges=Array.of(totals.edges),
        content_variance=Array.of(content),
        position_variance=Array.of(position),
        covariance=Array.of(covariance),
        sinks=Array.of(totals.sinks),
        rows_done=count,
        rows_total=tokens,
        final=final,
        slot=command.slot,
    )
