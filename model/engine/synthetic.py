"""A run that never was: random latents of one layer in a real run's shapes and dtype, with one planted needle."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from model.config import ModelConfig, Sampling
from model.lenses.reader import HeadReader
from model.messages import RunInfo
from model.recording.bits import as_array
from model.recording.columns import CHUNK_TOKENS
from model.recording.projections import LayerProjections, Projections
from model.recording.recording import Recording

CPU = torch.device("cpu")
SEED = 11
POOL = 2**22  # random numbers that every row is cut from, at a place of its own
NEEDLE_SCORE = 8.0  # above ln(tokens): the needle's probability is nearly 1


class Synthetic(NamedTuple):
    """The run, and where its head 0 has a single cell of high probability."""

    recording: Recording
    projections: Projections
    needle: tuple[int, int]


class _Chunk:
    """Tokens of a recording held in one array for each column."""

    def __init__(self, values: dict[str, NDArray[np.uint16]], ids: NDArray[np.int32], start: int, end: int) -> None:
        self.tokens, self.steps = end - start, 1
        self._values = {name: column[None, start:end] for name, column in values.items()}
        self._ids = ids[start:end]

    def array(self, name: str) -> NDArray[np.generic]:
        return self._ids if name == "ids" else self._values[name]

    def texts(self, name: str) -> list[str]:
        return [""] * (self.tokens if name == "texts" else self.steps)


def synthetic_run(config: ModelConfig, tokens: int, *, device: torch.device = CPU) -> Synthetic:
    """Latents, query sources and projections of unit gain in bfloat16, so scores are about N(0, 1).

    The projections lie on `device`, where everything is then computed.
    """
    config = replace(config, layers=1, moe_layers=(), router=None, max_position_embeddings=tokens)
    generator = torch.Generator().manual_seed(SEED)
    pool = as_array(torch.randn(POOL, generator=generator).to(torch.bfloat16))
    widths = {
        "c_kv": config.kv_lora_rank,
        "k_rope": config.qk_rope_head_dim,
        "query_source": config.query_source_width,
    }
    values = {name: _rows(pool, tokens, width, number) for number, (name, width) in enumerate(widths.items())}
    ids = np.random.default_rng(SEED).integers(config.vocab_size, size=tokens, dtype=np.int32)
    run = Recording(_info(config, tokens), _chunks(values, ids, tokens))
    projections = Projections((_projections(config, generator, device),))
    needle = (tokens * 7 // 10, tokens * 2 // 10)
    _plant(run, projections, values, needle)
    return Synthetic(run, projections, needle)


def _rows(pool: NDArray[np.uint16], tokens: int, width: int, number: int) -> NDArray[np.uint16]:
    starts = np.random.default_rng(SEED + number).integers(POOL - width, size=tokens)
    rows = np.empty((tokens, width), np.uint16)
    for token, start in enumerate(starts):
        rows[token] = pool[start : start + width]
    return rows


def _chunks(values: dict[str, NDArray[np.uint16]], ids: NDArray[np.int32], tokens: int) -> Sequence[_Chunk]:
    return [_Chunk(values, ids, start, min(start + CHUNK_TOKENS, tokens)) for start in range(0, tokens, CHUNK_TOKENS)]


def _projections(config: ModelConfig, generator: torch.Generator, device: torch.device) -> LayerProjections:
    def weight(rows: int, columns: int) -> torch.Tensor:
        values = torch.randn((rows, columns), generator=generator)
        return values.div_(columns**0.5).to(torch.bfloat16).to(device)

    nope_and_value = config.qk_nope_head_dim + config.v_head_dim
    return LayerProjections(
        weight(config.heads * config.qk_head_dim, config.query_source_width),
        weight(config.heads * nope_and_value, config.kv_lora_rank),
    )


def _plant(
    run: Recording, projections: Projections, values: dict[str, NDArray[np.uint16]], needle: tuple[int, int]
) -> None:
    """Turn the key's latent towards what the query looks for."""
    query, key = needle
    reader = HeadReader(run, projections, layer=0, head=0)
    wanted_C = reader.queries(np.array([query]))[0, : reader.content_width] @ reader.w_uk_NC
    score = float(np.log(query + 1)) + NEEDLE_SCORE
    latent_C = wanted_C * (score / float(wanted_C @ wanted_C))
    values["c_kv"][key] = as_array(latent_C.to(torch.bfloat16).cpu())


def _info(config: ModelConfig, tokens: int) -> RunInfo:
    return RunInfo(
        run="synthetic",
        folder="",
        title="synthetic latents",
        model_name="random numbers",
        checkpoint_path="",
        config=config,
        dtype="bfloat16",
        device="cpu",
        sampling=Sampling(),
        prompt_tokens=tokens,
        max_new_tokens=0,
        attention_available=True,
    )
