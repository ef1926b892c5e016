"""Latents over tokens, their ranks, who reads them, how they bear rounding, and who connects two tokens."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.engine.agenda import Work
from model.engine.runs import Engine, Run
from model.lens_messages import (
    AskHeads,
    DriftShown,
    HeadsAsked,
    LatentMapShown,
    MeasureDrift,
    RanksShown,
    ReadingShown,
    ShowLatentMap,
    ShowRanks,
    ShowReading,
)
from model.lenses import attention
from model.lenses.connect import connections
from model.lenses.drift import drift
from model.lenses.grid import sampled
from model.lenses.latents import latents
from model.lenses.quantise import token_bytes
from model.lenses.reader import HeadReader
from model.lenses.spectra import NO_LATENTS, effective_rank, reading, spectrum
from model.messages import Array
from model.problems import Problem

ROWS_AT_ONCE = 2048  # tokens read in one piece of a latent map
DRIFT_NUMBERS = 2**22  # scores of one format held at once
MOST_ROWS = 8192


def show_latent_map(command: ShowLatentMap, engine: Engine) -> Work:
    """Of each few tokens the value farthest from 0 of every latent dimension, and norms."""
    run, (start, end) = engine.run(command.run), command.tokens
    attention.check(run.recording, layer=command.layer, heads=(), ranges=(command.tokens,))
    rows = -(-(end - start) // max(command.cell, 1))
    if command.cell < 1 or rows > MOST_ROWS:
        raise Problem(f"A map of {rows:,} rows is too large; put more tokens into a row.")
    _has_latents(run)
    values, norms, ropes, sums = [], [], [], np.zeros((2, run.info.config.kv_lora_rank))
    step = max(ROWS_AT_ONCE // command.cell, 1) * command.cell
    for a in range(start, end, step):
        c_kv, k_rope = latents(run.recording, layer=command.layer, tokens=(a, min(a + step, end)))
        starts = np.arange(0, len(c_kv), command.cell)
        high, low = np.maximum.reduceat(c_kv, starts), np.minimum.reduceat(c_kv, starts)
        values.append(np.where(high >= -low, high, low))
        norms.append(_extremes(np.linalg.norm(c_kv, axis=1), starts))
        ropes.append(_extremes(np.linalg.norm(k_rope, axis=1), starts))
        sums += c_kv.sum(axis=0, dtype=np.float64), np.square(c_kv, dtype=np.float64).sum(axis=0)
        yield None
    mean, square = sums / (end - start)
    yield LatentMapShown(
        request=command.request,
        run=command.run,
        layer=command.layer,
        tokens=command.tokens,
        cell=command.cell,
        values=Array.of(np.concatenate(values)),
        norms=Array.of(np.concatenate(norms)),
        rope_norms=Array.of(np.concatenate(ropes)),
        mean=Array.of(mean.astype(np.float32)),
        deviation=Array.of(np.sqrt(np.maximum(square - mean**2, 0)).astype(np.float32)),
        slot=command.slot,
    )


def _has_latents(run: Run) -> None:
    if run.info.config.kv_heads is not None:
        raise Problem(NO_LATENTS)


def _extremes(norms_T: NDArray[np.float32], starts: NDArray[np.int64]) -> NDArray[np.float32]:
    least, most = np.minimum.reduceat(norms_T, starts), np.maximum.reduceat(norms_T, starts)
    return np.stack((least, most), axis=1)


def show_ranks(command: ShowRanks, engine: Engine) -> Work:
    """One more layer with each event."""
    run = engine.run(command.run)
    _has_latents(run)
    layers, rank = run.info.config.layers, run.info.config.kv_lora_rank
    tokens = run.recording.tokens
    ranks, spectra = np.full(layers, np.nan, np.float32), np.full((layers, rank), np.nan, np.float32)
    for layer in range(layers):
        spectra[layer] = yield from spectrum(run.recording, layer=layer)
        ranks[layer] = effective_rank(spectra[layer])
        yield RanksShown(
            request=command.request,
            run=command.run,
            tokens=tokens,
            ranks=Array.of(ranks),
            spectra=Array.of(spectra),
            done=layer + 1,
            total=layers,
            final=layer + 1 == layers,
            slot=command.slot,
        )


def show_reading(command: ShowReading, engine: Engine) -> Work:
    """Weights alone, whatever the run."""
    run = engine.run(command.run)
    attention.check(run.recording, layer=command.layer, heads=(), ranges=())
    norms, singular = reading(run.recording, run.for_attention(), layer=command.layer)
    yield ReadingShown(
        request=command.request,
        run=command.run,
        layer=command.layer,
        norms=Array.of(norms),
        singular=Array.of(singular),
        slot=command.slot,
    )


def measure_drift(command: MeasureDrift, engine: Engine) -> Work:
    """A few rows of every head at a time; each event has the same rows of all heads."""
    run = engine.run(command.run)
    projections, tokens, config = run.for_attention(), run.recording.tokens, run.info.config
    _has_latents(run)
    attention.check(run.recording, layer=command.layer, heads=command.heads, ranges=((0, tokens),))
    if not command.formats or not command.heads:
        raise Problem("There is nothing to compare; choose a head and a format.")
    readers = [HeadReader(run.recording, projections, layer=command.layer, head=head) for head in command.heads]
    queries = sampled((0, tokens), command.rows if command.rows > 0 else tokens)
    total = np.zeros((len(readers), len(command.formats)))
    worst = np.zeros_like(total)
    each, done = max(DRIFT_NUMBERS // tokens, 8), 0
    parts = [queries[start :: -(-len(queries) // each)] for start in range(-(-len(queries) // each))]
    for part in parts:
        for index, reader in enumerate(readers):
            for moved in drift(reader, part, command.formats, rope=command.rope):
                if moved is not None:
                    total[index] += moved.sum(axis=1)
                    worst[index] = np.maximum(worst[index], moved.max(axis=1))
                yield None
        done += len(part)
        yield DriftShown(
            request=command.request,
            run=command.run,
            layer=command.layer,
            heads=command.heads,
            formats=command.formats,
            rope=command.rope,
            mean=Array.of((total / done).astype(np.float32)),
            worst=Array.of(worst.astype(np.float32)),
            bytes=Array.of(np.array([token_bytes(config, one, rope=command.rope) for one in command.formats])),
            rows_done=done,
            rows_total=tokens,
            final=done == len(queries),
            slot=command.slot,
        )


def ask_heads(command: AskHeads, engine: Engine) -> Work:
    """Every head's probability, scores and rank of one query and key, layer by layer."""
    run = engine.run(command.run)
    config, projections = run.info.config, run.for_attention()
    if not 0 <= command.key <= command.query < run.recording.tokens:
        raise Problem(f"Token {command.query} does not see token {command.key}; choose two tokens of the run in order.")
    found: NDArray[Any] = np.full((3, config.layers, config.heads), np.nan, np.float32)
    rank = np.zeros((config.layers, config.heads), np.int32)
    for layer in range(config.layers):
        one = yield from connections(run.recording, projections, layer=layer, query=command.query, key=command.key)
        found[:, layer], rank[layer] = one
        yield HeadsAsked(
            request=command.request,
            run=command.run,
            query=command.query,
            key=command.key,
            probability=Array.of(found[0]),
            content=Array.of(found[1]),
            position=Array.of(found[2]),
            rank=Array.of(rank),
            done=layer + 1,
            total=config.layers,
            final=layer + 1 == config.layers,
            slot=command.slot,
        )
