"""The ProfileExperts command: what each expert is chosen for, over a folder of texts, in short pieces."""

from collections.abc import Generator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from model.engine import threads
from model.engine.agenda import Work
from model.engine.generation import chunk_tokens
from model.engine.opened import OpenModel, aside
from model.engine.runs import Engine
from model.engine.text_folder import Text, read_texts
from model.expert_profile import (
    NAME_LIMIT,
    ExpertCounts,
    ExpertProfile,
    LayerProfile,
    TypicalToken,
    write_profile,
)
from model.lenses.typical import typical
from model.messages import Event, Profiled, ProfileExperts, Profiling
from model.network.decoder import new_probe
from model.problems import Problem

SEQUENCE = 512  # tokens read in one go, behind the checkpoint's own beginning of a text
BYTES_PER_TOKEN = 16  # read of a file at most for each token wanted of it
TYPICAL = 12  # tokens kept of each expert
CHOICES_LIMIT = 2**29  # expert numbers kept in memory, two bytes each


class Choices(NamedTuple):
    """What was read: token ids [T], their domain [T], and the experts of every MoE layer, int16 [M, T, A]."""

    ids_T: NDArray[np.int64]
    domain_T: NDArray[np.int64]
    experts_MTA: NDArray[np.int16]


def profile(command: ProfileExperts, engine: Engine) -> Work:
    """Profiling…, then Profiled. Raises Problem for a dense model, one without a tokenizer, or no texts."""
    model = engine.open_model()
    texts = yield from aside(lambda: _texts(command, model))
    ids_by_text = []
    for text in texts:
        ids_by_text.append((yield from aside(partial(_ids, text, model, command.tokens))))
    choices = yield from _choices(command, model, ids_by_text)
    layers = []
    for row, layer in enumerate(model.checkpoint.config.moe_layers):
        experts = yield from _layer(model, choices, row, domains=len(texts))
        layers.append(LayerProfile(layer, experts))
    made = ExpertProfile(
        model=model.checkpoint.name,
        fingerprint=model.checkpoint.fingerprint,
        texts=command.title or Path(command.texts).name[:NAME_LIMIT],
        domains=[text.name for text in texts],
        domain_tokens=[len(ids) for ids in ids_by_text],
        layers=layers,
    )
    if command.file:
        write_profile(made, Path(command.file))
    yield Profiled(request=command.request, path=str(model.checkpoint.path), profile=made)


def _texts(command: ProfileExperts, model: OpenModel) -> list[Text]:
    config = model.checkpoint.config
    if config.router is None:
        raise Problem(f"{model.checkpoint.name} is dense: it has no experts to profile.")
    if model.tokenizer is None:
        raise Problem(f"{model.checkpoint.name} has no tokenizer, so it cannot read texts; add its tokenizer.json.")
    if command.tokens < 1:
        raise Problem(f"{command.tokens} tokens of each text cannot be read; ask for 1 or more.")
    texts = read_texts(command.texts, most_bytes=command.tokens * BYTES_PER_TOKEN)
    kept = len(texts) * command.tokens * len(config.moe_layers) * config.router.experts_per_token
    if kept > CHOICES_LIMIT:
        raise Problem(f"{len(texts)} texts of {command.tokens:,} tokens are too many for this model; ask for fewer.")
    return texts


def _ids(text: Text, model: OpenModel, most: int) -> list[int]:
    """The text's own tokens; what the checkpoint puts in front comes back before every sequence."""
    assert model.tokenizer is not None
    ids = model.tokenizer.encode(text.text)[len(model.tokenizer.prefix) : len(model.tokenizer.prefix) + most]
    if not ids:
        raise Problem(f"The text {text.name!a} has no tokens; take it out of the folder.")
    return ids


def _choices(
    command: ProfileExperts, model: OpenModel, ids_by_text: list[list[int]]
) -> Generator[Event | None, None, Choices]:
    total, done, parts = sum(map(len, ids_by_text)), 0, []
    assert model.tokenizer is not None
    prefix, config = list(model.tokenizer.prefix), model.checkpoint.config
    length = min(SEQUENCE, config.max_position_embeddings - len(prefix), config.dense_attention_tokens or SEQUENCE)
    yield Profiling(request=command.request, done=0, total=total)
    for ids in ids_by_text:
        for start in range(0, len(ids), length):
            part = ids[start : start + length]
            experts_MTA = yield from _read(model, [*prefix, *part])
            parts.append(experts_MTA[:, len(prefix) :])
            done += len(part)
            yield Profiling(request=command.request, done=done, total=total)
    return Choices(
        np.concatenate([np.array(ids) for ids in ids_by_text]),
        np.repeat(np.arange(len(ids_by_text)), [len(ids) for ids in ids_by_text]),
        np.concatenate(parts, axis=1),
    )


def _read(model: OpenModel, ids: list[int]) -> Generator[None, None, NDArray[np.int16]]:
    """The experts of one sequence, int16 [M, T, A]: the very prefill that a prompt gets, layer by layer."""
    decoder, cache = model.decoder, model.decoder.new_cache()
    size = chunk_tokens(model.checkpoint.config)
    probe, parts = new_probe(decoder, min(size, len(ids))), []
    for start in range(0, len(ids), size):
        part_T = torch.tensor(ids[start : start + size], device=decoder.device)
        pieces = decoder.stepping(part_T, cache, probe=probe, length=len(ids))
        more = True
        while more:
            threads.use(threads.ALL)
            with torch.inference_mode():
                more = next(pieces, pieces) is not pieces
            yield None
        parts.append(probe.expert_ids[:, : probe.tokens].to(torch.int16).cpu().numpy())
    return np.concatenate(parts, axis=1)


def _layer(model: OpenModel, choices: Choices, row: int, *, domains: int) -> Generator[None, None, list[ExpertCounts]]:
    router = model.checkpoint.config.router
    assert router is not None
    known_W, column_T = np.unique(choices.ids_T, return_inverse=True)
    total_W = np.bincount(column_T, minlength=len(known_W))
    made = []
    for expert in range(router.experts):
        chosen_T = (choices.experts_MTA[row] == expert).any(axis=1)
        counts = np.bincount(choices.domain_T[chosen_T], minlength=domains)
        chosen_W = np.bincount(column_T[chosen_T], minlength=len(known_W))
        best = typical(chosen_W, total_W, most=TYPICAL)
        pieces = model.pieces(known_W[best.columns].tolist())
        tokens = [
            TypicalToken(
                text[:NAME_LIMIT], int(chosen_W[column]), int(total_W[column]), round(lift, 3), round(score, 2)
            )
            for text, column, lift, score in zip(
                pieces, best.columns, best.lift.tolist(), best.score.tolist(), strict=True
            )
        ]
        made.append(ExpertCounts(counts.tolist(), tokens))
        yield None
    return made
