"""Attention rebuilt on CUDA is what is rebuilt on the CPU, of the same recording."""

from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from model.lens_messages import Arithmetic
from model.lenses import attention, picture, scorer, walk
from model.lenses.aggregate import Totals, aggregate
from model.lenses.connect import connections
from model.lenses.drift import drift
from model.lenses.kept import Kept
from model.lenses.picture import HeadPicture, Wanted, pictures
from model.lenses.reader import HeadReader
from model.lenses.rounding import rounding_error
from model.lenses.rows import probabilities
from model.lenses.scorer import Scorer
from model.lenses.survey import look, occurrences
from model.network.pieces import whole
from model.recording.projections import LayerProjections, Projections
from model.recording.recorder import Recorder
from model.recording.recording import Recording
from tests.model.recording.runs import feed, random_decoder, run_info, tiny_config

TOKENS = 301
ALL = (0, TOKENS)
SHAPES: dict[str, dict[str, Any]] = {
    "mla": {"kv_lora_rank": 40, "qk_nope_head_dim": 12, "qk_rope_head_dim": 8},
    "gqa": {"kv_heads": 1, "q_lora_rank": None, "kv_lora_rank": 0, "v_head_dim": 10},
}
WANTED = [
    (quantity, reduction)
    for quantity in ("probability", "content", "position")
    for reduction in ("max", "mean", "sum")
    if quantity == "probability" or reduction != "sum"
]


class Run(NamedTuple):
    """A recording, and its projections on the CPU and on the device."""

    recording: Recording
    cpu: Projections
    there: Projections

    def scorer(self, where: Projections, *, how: Arithmetic = "float32", kept: Kept | None = None) -> Scorer:
        reader = HeadReader(self.recording, where, layer=1, head=1)
        return Scorer(reader, kept or Kept(), arithmetic=how)


@pytest.fixture(scope="module", params=SHAPES)
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, device: torch.device) -> Run:
    config = tiny_config(**SHAPES[request.param])
    decoder = random_decoder(config)
    recorder = Recorder.create(tmp_path_factory.mktemp("run") / "run", run_info(config))
    feed(recorder, decoder, (TOKENS - 1, 1))
    cpu = Projections.of(decoder)
    moved = [
        LayerProjections(*(None if one is None else one.to(device) for one in cpu.layer(index)))  # type: ignore[arg-type]
        for index in range(config.layers)
    ]
    return Run(recorder.recording, cpu, Projections(tuple(moved)))


@pytest.fixture(params=["as it is", "in many pieces"])
def _pieces(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "in many pieces":
        for module in (scorer, walk, picture):
            for name, value in {"KEY_BLOCK": 32, "QUERY_BLOCK": 48, "QUERY_BATCH": 96}.items():
                if hasattr(module, name):
                    monkeypatch.setattr(module, name, value)
        monkeypatch.setattr(picture, "QUICK_PRODUCTS", 0)


def drawn(one: Scorer, wanted: Wanted) -> NDArray[np.float32]:
    kept = Kept()
    *_, last = (stage for stage in pictures([HeadPicture(one, wanted, kept)]) if stage is not None)
    assert last.final
    return last.values[0]


@pytest.mark.usefixtures("_pieces")
@pytest.mark.parametrize(("quantity", "reduction"), WANTED)
@pytest.mark.parametrize(
    ("queries", "keys", "cell"),
    [(ALL, ALL, (8, 8)), ((100, 270), (40, 200), (1, 1)), ((200, 301), (0, 64), (64, 16))],
)
def test_pictures_are_the_cpus(run: Run, quantity: Any, reduction: Any, queries: Any, keys: Any, cell: Any) -> None:
    wanted = Wanted(queries, keys, cell, quantity, reduction)
    expected = drawn(run.scorer(run.cpu), wanted)
    np.testing.assert_allclose(drawn(run.scorer(run.there), wanted), expected, rtol=1e-5, atol=2e-5)
    near = drawn(run.scorer(run.there, how="bf16"), wanted)
    limit = 0.02 if quantity == "probability" else 2**-6 * max(1.0, float(np.nanmax(np.abs(expected))))
    assert np.array_equal(np.isnan(near), np.isnan(expected))
    assert np.nanmax(np.abs(near - expected)) < limit


def test_a_picture_reads_kept_keys_and_normalisers(run: Run) -> None:
    kept = Kept()
    for cell in (8, 4, 1):
        wanted = Wanted(ALL, ALL, (cell, cell), "probability", "mean")
        expected = drawn(run.scorer(run.cpu), wanted)
        np.testing.assert_allclose(drawn(run.scorer(run.there, kept=kept), wanted), expected, rtol=1e-5, atol=2e-5)


@pytest.mark.parametrize("quantity", ["probability", "content", "position"])
def test_a_survey_is_the_cpus(run: Run, quantity: Any) -> None:
    occurred, heads = occurrences(run.recording), []
    for where in (run.cpu, run.there):
        pieces = look(run.scorer(where), occurred, tokens=TOKENS, count=TOKENS, edge=32, quantity=quantity)
        heads.append(next(piece for piece in pieces if piece is not None))
    np.testing.assert_allclose(heads[1].thumbnail, heads[0].thumbnail, rtol=1e-4, atol=2e-5)
    np.testing.assert_allclose(heads[1].numbers, heads[0].numbers, rtol=1e-3, atol=1e-4)


def test_sums_rows_and_rounding_are_the_cpus(run: Run) -> None:
    query_Q, totals, rows = np.arange(0, TOKENS, 7), [], []
    for where in (run.cpu, run.there):
        one = Totals(TOKENS)
        for _ in aggregate(run.scorer(where), query_Q, one):
            pass
        totals.append(one)
        rows.append(probabilities(run.scorer(where), query_Q[-3:]))
    np.testing.assert_allclose(totals[1].received_T, totals[0].received_T, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(totals[1].distance_B, totals[0].distance_B, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(totals[1].numbers, totals[0].numbers, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(rows[1], rows[0], rtol=1e-4, atol=1e-5)
    assert 0 < rounding_error(run.scorer(run.there, how="bf16"), ALL) < 0.02


def test_connections_and_drift_are_the_cpus(run: Run) -> None:
    pairs = [whole(connections(run.recording, where, layer=1, query=200, key=7)) for where in (run.cpu, run.there)]
    np.testing.assert_allclose(pairs[1][0], pairs[0][0], rtol=1e-4, atol=1e-5)
    readers = [HeadReader(run.recording, where, layer=1, head=1) for where in (run.cpu, run.there)]
    if not readers[0].has_latents:
        return
    query_Q = np.array([50, 200, 300])
    drifts = []
    for reader in readers:
        pieces = drift(reader, query_Q, ("int8", "fp8", "int4"), rope=True)
        drifts.append(next(piece for piece in pieces if piece is not None))
    np.testing.assert_allclose(drifts[1], drifts[0], rtol=1e-2, atol=1e-4)


def test_whole_maps_and_rows_are_the_cpus(run: Run) -> None:
    asked: dict[str, Any] = {"layer": 1, "heads": (0, 1), "queries": (30, 290), "keys": (0, 200)}
    told = []
    for where in (run.cpu, run.there):
        maps = attention.probabilities(run.recording, where, **asked)
        scores = attention.scores(run.recording, where, **asked)
        cells = whole(attention.pooled(run.recording, where, rows=50, columns=40, **asked))
        row = attention.row(run.recording, where, layer=1, head=0, query=170)
        told.append((maps, *scores, cells.values, *row))
    for mine, theirs in zip(told[1], told[0], strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=2e-5)
