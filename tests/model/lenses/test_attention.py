from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from model.lenses import scores as scores_module
from model.lenses.attention import Pooled, pooled, probabilities, row, scores
from model.lenses.latents import as_float32, latents
from model.network.pieces import whole
from model.problems import Problem
from model.recording.projections import Projections
from model.recording.recorder import Recorder
from model.recording.recording import Recording
from tests.model.lenses.oracle import Oracle, recorded_beside_transformers
from tests.model.recording.runs import feed, random_decoder, run_info, tiny_config
from tests.parity.tiny import yarn

TOKENS = 96
SIZES = (40, 53, 1, 1, 1)
BOTH: dict[str, Any] = {"queries": (0, TOKENS), "keys": (0, TOKENS)}

CASES: dict[str, tuple[Any, dict[str, Any]]] = {
    "V2 with a query LoRA": ("v2", {}),
    "V2 without a query LoRA": ("v2", {"q_lora_rank": None}),
    "V2 with YaRN": ("v2", {"rope_parameters": yarn(mscale=0.707, mscale_all_dim=0.707)}),
    "V3": ("v3", {}),
    "V3 with half-split pairs": ("v3", {"rope_interleave": False}),
    "V3 with YaRN that changes the amplitude": ("v3", {"rope_parameters": yarn(mscale=1.0, mscale_all_dim=0.5)}),
    "V3 without a query LoRA": ("v3", {"q_lora_rank": None}),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("absorb", [True, False])
def test_rebuilt_maps_equal_transformers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str, absorb: bool
) -> None:
    monkeypatch.setattr(scores_module.Layer, "absorbs", lambda self, rows: absorb)
    family, overrides = CASES[case]
    oracle = recorded_beside_transformers(tmp_path, family, sizes=SIZES, **overrides)
    for layer, expected_HQK in enumerate(oracle.maps_LHQK):
        rebuilt_HQK = probabilities(oracle.recording, oracle.projections, layer=layer, heads=range(4), **BOTH)
        assert np.abs(rebuilt_HQK - expected_HQK).max() <= 5e-6
        content_HQK, position_HQK = scores(oracle.recording, oracle.projections, layer=layer, heads=range(4), **BOTH)
        from_scores = torch.from_numpy(content_HQK + position_HQK).softmax(dim=-1).numpy()
        assert np.abs(from_scores - expected_HQK).max() <= 5e-6


@pytest.fixture(scope="module")
def oracle(tmp_path_factory: pytest.TempPathFactory) -> Oracle:
    return recorded_beside_transformers(tmp_path_factory.mktemp("oracle"), "v2", sizes=SIZES)


def test_a_part_of_a_map_is_that_part_of_the_whole_map(oracle: Oracle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scores_module, "BLOCK_SCORES", 500)
    for queries, keys in (((10, 60), (20, 31)), ((95, 96), (0, 96)), ((0, 5), (40, 50)), ((30, 31), (30, 32))):
        part = (slice(None), slice(*queries), slice(*keys))
        there: dict[str, Any] = {"layer": 1, "heads": (3, 1), "queries": queries, "keys": keys}
        some = probabilities(oracle.recording, oracle.projections, **there)
        assert np.abs(some - oracle.maps_LHQK[1][[3, 1]][part]).max() <= 5e-6
        content, position = scores(oracle.recording, oracle.projections, **there)
        masked = np.arange(*keys) > np.arange(*queries)[:, None]
        assert np.array_equal(np.isneginf(content), np.broadcast_to(masked, content.shape))
        assert np.array_equal(np.isneginf(position), np.isneginf(content))


def test_a_row_has_all_three_quantities_of_one_query(oracle: Oracle) -> None:
    for query in (0, 1, 57, 95):
        weights, content, position = row(oracle.recording, oracle.projections, layer=2, head=1, query=query)
        assert {values.shape for values in (weights, content, position)} == {(query + 1,)}
        assert {values.dtype for values in (weights, content, position)} == {np.dtype(np.float32)}
        assert np.abs(weights - oracle.maps_LHQK[2, 1, query, : query + 1]).max() <= 5e-6
        exponents = np.exp((content + position) - (content + position).max())
        assert np.abs(exponents / exponents.sum() - weights).max() <= 1e-6


def test_a_run_reopened_without_its_model_gives_the_same_map(tmp_path: Path) -> None:
    config = tiny_config()
    decoder = random_decoder(config, dtype="bfloat16")
    projections = Projections.of(decoder)
    recorder = Recorder.create(tmp_path / "run", run_info(config, dtype="bfloat16"), projections=projections)
    feed(recorder, decoder, (270, 1, 1))
    what: dict[str, Any] = {"layer": 2, "heads": (0, 1), "queries": (200, 272), "keys": (0, 272)}
    live = probabilities(recorder.recording, projections, **what)
    recorder.finish("length", "")
    opened = Recording.open(tmp_path / "run")
    assert np.array_equal(probabilities(opened, Projections.open(tmp_path / "run", config), **what), live)
    assert live.dtype == np.float32
    assert np.abs(live.sum(axis=2) - 1).max() <= 1e-5


def reduced(full_QK: Any, rows: int, columns: int, reduction: str) -> tuple[Any, tuple[int, int]]:
    """Pooling written out cell by cell."""
    queries, keys = full_QK.shape
    cell = -(-queries // rows), -(-keys // columns)
    shape = -(-queries // cell[0]), -(-keys // cell[1])
    result = np.full(shape, np.nan, np.float32)
    for i in range(shape[0]):
        for j in range(shape[1]):
            values = full_QK[i * cell[0] : (i + 1) * cell[0], j * cell[1] : (j + 1) * cell[1]]
            seen = values[~np.isnan(values)]
            if seen.size:
                result[i, j] = seen.max() if reduction == "max" else seen.mean(dtype=np.float64)
    return result, cell


@st.composite
def ranges(draw: st.DrawFn) -> tuple[int, int]:
    start = draw(st.integers(0, TOKENS - 1))
    return start, draw(st.integers(start + 1, TOKENS))


@settings(max_examples=150, deadline=None)
@given(
    queries=ranges(),
    keys=ranges(),
    rows=st.integers(1, 100),
    columns=st.integers(1, 100),
    quantity=st.sampled_from(["probability", "content", "position"]),
    reduction=st.sampled_from(["max", "mean"]),
    block=st.sampled_from([1, 150, 1000, 2**20]),
)
def test_a_pooled_picture_equals_pooling_the_full_map(
    oracle: Oracle, queries: Any, keys: Any, rows: int, columns: int, quantity: Any, reduction: Any, block: int
) -> None:
    there: dict[str, Any] = {"layer": 1, "heads": (2, 0), "queries": queries, "keys": keys}
    full_HQK = (
        probabilities(oracle.recording, oracle.projections, **there)
        if quantity == "probability"
        else scores(oracle.recording, oracle.projections, **there)[0 if quantity == "content" else 1]
    )
    full_HQK[:, np.arange(*keys) > np.arange(*queries)[:, None]] = np.nan
    before, scores_module.BLOCK_SCORES = scores_module.BLOCK_SCORES, block
    try:
        picture: Pooled = whole(
            pooled(
                oracle.recording,
                oracle.projections,
                rows=rows,
                columns=columns,
                quantity=quantity,
                reduction=reduction,
                **there,
            )
        )
    finally:
        scores_module.BLOCK_SCORES = before
    assert picture.values.dtype == np.float32
    for values, full_QK in zip(picture.values, full_HQK, strict=True):
        expected, cell = reduced(full_QK, rows, columns, reduction)
        assert picture.cell == cell
        np.testing.assert_allclose(values, expected, rtol=2e-5, atol=3e-6)


def test_work_comes_in_pieces_and_no_array_of_all_pairs_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tiny_config()
    decoder = random_decoder(config)
    recorder = Recorder.create(tmp_path / "run", run_info(config))
    tokens = 2048
    feed(recorder, decoder, (512,) * 4)
    monkeypatch.setattr(scores_module, "BLOCK_SCORES", 2**17)
    seen: list[int] = []
    block = scores_module.Layer.block

    def watched(*arguments: Any, **options: Any) -> Any:
        made = block(*arguments, **options)
        seen.append(made.content_QK.numel())
        return made

    monkeypatch.setattr(scores_module.Layer, "block", watched)
    work: Generator[None, None, Pooled] = pooled(
        recorder.recording,
        Projections.of(decoder),
        layer=0,
        heads=(0, 1),
        queries=(0, tokens),
        keys=(0, tokens),
        rows=64,
        columns=64,
    )
    pieces = 0
    while True:
        try:
            next(work)
        except StopIteration as end:
            picture: Pooled = end.value
            break
        pieces += 1
    assert picture.values.shape == (2, 64, 64)
    assert picture.cell == (32, 32)
    assert pieces >= 2 * tokens * tokens // 2**17
    assert max(seen) <= 2**17


def test_what_is_not_in_the_run_is_refused(oracle: Oracle) -> None:
    good: dict[str, Any] = {"layer": 0, "heads": (0,), "queries": (0, 4), "keys": (0, 4)}
    bad: tuple[dict[str, Any], ...] = (
        {"layer": 3}, {"layer": -1}, {"heads": (4,)}, {"queries": (0, 97)}, {"keys": (4, 4)}, {"keys": (-1, 3)}
    )  # fmt: skip
    for change in bad:
        with pytest.raises(Problem):
            probabilities(oracle.recording, oracle.projections, **good | change)
    with pytest.raises(Problem, match="0 × 5 cells"):
        next(pooled(oracle.recording, oracle.projections, rows=0, columns=5, **good))


def test_latents_come_back_in_float32_with_every_value_kept(tmp_path: Path) -> None:
    config = tiny_config()
    recorder = Recorder.create(tmp_path / "run", run_info(config, dtype="bfloat16"))
    told = feed(recorder, random_decoder(config, dtype="bfloat16"), (300, 1))
    c_kv, k_rope = latents(recorder.recording, layer=1, tokens=(250, 301))
    assert np.array_equal(c_kv, told.cache.c_kv_LTC[1, 250:301].float().numpy())
    assert np.array_equal(k_rope, told.cache.k_rope_LTR[1, 250:301].float().numpy())
    half = np.array([1.5, -2.25], np.float16)
    assert np.array_equal(as_float32(half), np.array([1.5, -2.25], np.float32))
