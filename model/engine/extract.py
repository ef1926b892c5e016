"""The Extract command: the numbers behind a view, exact and unreduced, as an npz file."""

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from model.caches import kept
from model.config import DtypeName
from model.engine.agenda import Work
from model.engine.answers import check_layer
from model.engine.npz import Stream, whole, write_npz
from model.engine.runs import Engine, Run
from model.lenses import attention, balance
from model.lenses.latents import as_float32, latents
from model.lenses.memory import memory_series
from model.messages import Extract, Extracted
from model.placement import default_devices, place
from model.problems import Problem
from model.recording.columns import CHUNK_TOKENS

Values = NDArray[np.generic]
BLOCK_CELLS = 2**21  # of an attention map: some 20 ms, and 8 MB for each of a few arrays


def extract(command: Extract, engine: Engine) -> Work:
    """Write the file in pieces, then tell what is in it. Raises Problem for a selection that is not there."""
    run = engine.run(command.run)
    if run.recording.tokens == 0:
        raise Problem("This run has no tokens; choose another recording.")
    streams = _streams(command, run)
    path = Path(command.file).expanduser().absolute()
    yield from write_npz(path, streams)
    arrays = {stream.name: (np.dtype(stream.dtype).name, stream.shape) for stream in streams}
    yield Extracted(request=command.request, file=str(path), arrays=arrays)


def _streams(command: Extract, run: Run) -> list[Stream]:
    match command.view:
        case "attention":
            return _attention(command, run)
        case "latents":
            return _latents(command, run)
        case "routing":
            return _routing(run)
        case "logits":
            return _logits(run)
        case "load":
            return _load(command, run)
        case "memory":
            return _memory(run)


def _attention(command: Extract, run: Run) -> list[Stream]:
    everything = (0, run.recording.tokens)
    queries, keys = command.queries or everything, command.keys or everything
    attention.check(run.recording, layer=command.layer, heads=(command.head,), ranges=(queries, keys))
    projections = run.for_attention()
    rows = max(1, BLOCK_CELLS // run.recording.tokens)
    parts = [(start, min(start + rows, queries[1])) for start in range(*queries, rows)]

    def probabilities() -> Iterator[Values]:
        for part in parts:
            yield attention.probabilities(
                run.recording, projections, layer=command.layer, heads=(command.head,), queries=part, keys=keys
            )[0]

    def scores(which: int) -> Iterator[Values]:
        for part in parts:
            yield attention.scores(
                run.recording, projections, layer=command.layer, heads=(command.head,), queries=part, keys=keys
            )[which][0]

    shape = (queries[1] - queries[0], keys[1] - keys[0])
    return [
        Stream("probabilities", np.float32, shape, probabilities()),
        Stream("content_scores", np.float32, shape, scores(0)),
        Stream("position_scores", np.float32, shape, scores(1)),
    ]


def _latents(command: Extract, run: Run) -> list[Stream]:
    check_layer(command.layer, run)
    rows = latents(run.recording, layer=command.layer, tokens=(0, run.recording.tokens))
    return [whole(row.name, values) for row, values in zip(kept(run.info.config), rows, strict=True)]


def _routing(run: Run) -> list[Stream]:
    config, recording = run.info.config, run.recording
    moe, tokens = len(config.moe_layers), recording.tokens
    experts, chosen = (config.router.experts, config.router.experts_per_token) if config.router else (0, 0)
    ids_TMA, weights_TMA = recording.light("expert_ids"), recording.light("expert_weights")
    scores = (as_float32(recording.heavy("router_scores", layer_row=row)) for row in range(moe))
    return [
        whole("layers", np.array(config.moe_layers, np.int64)),
        Stream("expert_ids", np.int64, (moe, tokens, chosen), (ids_TMA[:, row] for row in range(moe))),
        Stream("expert_weights", np.float32, (moe, tokens, chosen), (weights_TMA[:, row] for row in range(moe))),
        Stream("router_scores", np.float32, (moe, tokens, experts), scores),
    ]


def _logits(run: Run) -> list[Stream]:
    recording, tokens = run.recording, run.recording.tokens
    if "logits" not in recording.columns:
        raise Problem("This run did not keep its logits; record it again with --keep-logits.")
    blocks = (
        recording.heavy("logits", layer_row=0, start=start, end=min(start + CHUNK_TOKENS, tokens))
        for start in range(0, tokens, CHUNK_TOKENS)
    )
    return [Stream("logits", np.float32, (tokens, run.info.config.vocab_size), blocks)]


def _load(command: Extract, run: Run) -> list[Stream]:
    config = run.info.config
    if config.router is None:
        raise Problem("The model of this run is dense, so there is no expert load; choose a run of a MoE model.")
    devices = command.devices or min(default_devices(config.router.groups), config.router.experts)
    try:
        placement = place(
            command.placement, layers=len(config.moe_layers), experts=config.router.experts, devices=devices
        )
    except ValueError as error:
        raise Problem(f"This placement is not possible: {error}.") from None
    ids_TMA = run.recording.light("expert_ids").astype(np.int64)
    load = balance.count(ids_TMA, placement)
    return [
        whole("device_load", load.device_load),
        whole("expert_load", load.expert_load),
        whole("received", load.received),
        whole("traffic", load.traffic),
        whole("expert_to_device", placement.slot_to_device),
        whole("slot_to_expert", placement.slot_to_expert),
        whole("max_violation", balance.max_violation(load.device_load)),
        whole("balancedness", balance.balancedness(load.device_load)),
        whole("expert_max_violation", balance.max_violation(load.expert_load)),
        whole("expert_balancedness", balance.balancedness(load.expert_load)),
    ]


def _memory(run: Run) -> list[Stream]:
    def step(name: str) -> NDArray[np.int64]:
        return run.recording.light(name).astype(np.int64)

    config, dtype = run.info.config, cast(DtypeName, run.info.dtype)
    series = memory_series(step("tokens"), step("measured_bytes"), step("used_bytes"), config, dtype)
    return [whole(name, values) for name, values in series._asdict().items()]
