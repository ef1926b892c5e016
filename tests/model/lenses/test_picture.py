"""Pictures against brute force in float64: every pair scored, whole rows softmaxed, cells reduced one by one."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from model.lenses import bins, fold_plain, picture, scorer, walk, workers
from model.lenses.attention import probabilities
from model.lenses.connect import connections
from model.lenses.kept import Kept
from model.lenses.picture import HeadPicture, Stage, Wanted, check, pictures
from model.lenses.reader import HeadReader
from model.lenses.rounding import rounding_error
from model.lenses.scorer import Scorer
from model.network.pieces import whole
from model.problems import Problem
from model.recording.projections import Projections
from model.recording.recorder import Recorder
from model.recording.recording import Recording
from tests.model.recording.runs import feed, random_decoder, run_info, tiny_config

TOKENS = 301
ALL = (0, TOKENS)
Floats = NDArray[np.float64]
LONG: dict[str, Any] = {"KEY_BLOCK": 32, "QUERY_BLOCK": 48, "QUERY_BATCH": 96}


class Run:
    """A recorded run, and each head's content and position scores [T, T] in float64 from the weights themselves."""

    def __init__(self, folder: Path, tokens: int = TOKENS) -> None:
        self.config = tiny_config(kv_lora_rank=40, qk_nope_head_dim=12, qk_rope_head_dim=8)
        self.decoder = random_decoder(self.config)
        self.recorder = Recorder.create(folder / "run", run_info(self.config))
        self.told = feed(self.recorder, self.decoder, (tokens - 1, 1))
        self.projections = Projections.of(self.decoder)

    @property
    def recording(self) -> Recording:
        return self.recorder.recording

    def reader(self, head: int = 1) -> HeadReader:
        return HeadReader(self.recording, self.projections, layer=1, head=head)

    def scores(self, head: int = 1) -> tuple[Floats, Floats]:
        config, tokens = self.config, self.recording.tokens
        weights = self.decoder.weights.layers[1].attention
        source = self.recording.heavy("query_source", layer_row=1).astype(np.float64)
        q = source @ weights.q.weight.double().numpy()[head * 20 : head * 20 + 20].T / 20**0.5
        k = (
            self.recording.heavy("c_kv", layer_row=1).astype(np.float64)
            @ weights.kv_b_HXC[head, :12].double().numpy().T
        )
        angle = np.outer(np.arange(tokens), config.rope.theta ** (-np.arange(0, 8, 2) / 8))
        pairs = (q[:, 12::2] + 1j * q[:, 13::2]) * np.exp(1j * angle)
        turned = np.stack((pairs.real, pairs.imag), axis=-1).reshape(tokens, 8)
        position = turned @ self.recording.heavy("k_rope", layer_row=1).astype(np.float64).T
        late = np.triu(np.ones((tokens, tokens), bool), 1)
        return np.where(late, -np.inf, q[:, :12] @ k.T), np.where(late, -np.inf, position)

    def values(self, quantity: str, head: int = 1) -> Floats:
        content, position = self.scores(head)
        if quantity != "probability":
            return content if quantity == "content" else position
        powers = np.exp(content + position - (content + position).max(axis=1, keepdims=True))
        return np.where(np.isfinite(content), powers / powers.sum(axis=1, keepdims=True), -np.inf)


def reduced(values: Floats, wanted: Wanted) -> Floats:
    (a, b), (c, d), (rows, columns) = wanted.queries, wanted.keys, wanted.cell
    result = np.full((-(-(b - a) // rows), -(-(d - c) // columns)), np.nan)
    for i in range(result.shape[0]):
        for j in range(result.shape[1]):
            top, left = a + i * rows, c + j * columns
            block = values[top : min(top + rows, b), left : min(left + columns, d)]
            seen = block[np.isfinite(block)]
            if seen.size:
                result[i, j] = {"max": seen.max(), "mean": seen.mean(), "sum": seen.sum() / len(block)}[
                    wanted.reduction
                ]
    return result


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return Run(tmp_path_factory.mktemp("picture"))


@pytest.fixture(params=["compiled", "plain"])
def short_blocks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many blocks, batches, pieces and stages at few tokens, two threads, with and without numba."""
    for module in (scorer, walk, picture):
        for name, value in LONG.items():
            if hasattr(module, name):
                monkeypatch.setattr(module, name, value)
    for module in (workers, scorer, walk):
        monkeypatch.setattr(module, "ALL", 2)
    monkeypatch.setattr(picture, "QUICK_PRODUCTS", 0)
    if request.param == "plain":
        monkeypatch.setitem(bins._made, "fold", fold_plain)


def stages(run: Run, wanted: Wanted, kept: Kept | None = None, head: int = 1) -> Iterator[Stage]:
    kept = kept or Kept()
    one = HeadPicture(Scorer(run.reader(head), kept, arithmetic="float32"), wanted, kept)
    return (stage for stage in pictures([one]) if stage is not None)


@pytest.mark.usefixtures("short_blocks")
@pytest.mark.parametrize(
    ("quantity", "reduction"),
    [
        (q, r)
        for q in ("probability", "content", "position")
        for r in ("max", "mean", "sum")
        if (q[1:2], r) != ("o", "sum")
    ][:],
)
def test_every_cell_is_what_brute_force_says(run: Run, quantity: Any, reduction: Any) -> None:
    if reduction == "sum" and quantity != "probability":
        return
    values, kept = run.values(quantity), Kept()
    for queries, keys, cell in (
        (ALL, ALL, (8, 8)),
        (ALL, ALL, (64, 128)),
        ((100, 201), (33, 180), (3, 7)),
        ((5, 200), (150, 301), (1, 2)),
        ((0, 300), (0, 300), (8, 8)),
        ((290, 301), (0, 1), (1, 1)),
        (ALL, ALL, (8, 8)),
    ):
        wanted = Wanted(queries, keys, cell, quantity, reduction)
        last = list(stages(run, wanted, kept))[-1]
        assert last.final
        np.testing.assert_allclose(last.values[0], reduced(values, wanted), atol=1e-6, rtol=0, err_msg=str(wanted))


@pytest.mark.usefixtures("short_blocks")
def test_stages_are_what_their_labels_say(run: Run) -> None:
    wanted = Wanted(ALL, ALL, (4, 4), "probability", "max")
    every = list(stages(run, wanted))
    assert [stage.rows_done for stage in every[:1]] == [64]
    assert [stage.final for stage in every] == [False] * (len(every) - 1) + [True]
    assert every[-1].rows_done == TOKENS
    values, first = run.values("probability"), every[0].values[0]
    looked = (np.arange(1, 65) * TOKENS) // 64 - 1
    for row in range(len(first)):
        queries = looked[looked // 4 == row]
        if len(queries):
            at = min(row + 1, first.shape[1])
            expected = [values[queries, 4 * c : 4 * c + 4].max() for c in range(at) if 4 * c <= queries[-1]]
            np.testing.assert_allclose(first[row, : len(expected)], expected, atol=1e-6)
    seen = np.isfinite(every[-1].values[0])
    np.testing.assert_array_equal(np.isfinite(first), seen)


@pytest.mark.parametrize("behind", [None, 64])
def test_a_needle_and_a_thin_diagonal_are_visible_in_the_whole(
    run: Run, monkeypatch: pytest.MonkeyPatch, behind: int | None
) -> None:
    real = HeadReader.queries

    def planted(self: HeadReader, tokens: Any, dtype: Any) -> Any:
        """Query 211 looks for key 57 alone, or with `behind` every query for the key so far behind it."""
        q_QX = real(self, tokens, dtype)
        for index, token in enumerate(tokens):
            key = 57 if behind is None else int(token) - behind
            if token == 211 or (behind is not None and key >= 0):
                key_X = self.keys(key, key + 1, out=q_QX.new_empty((1, 20)), latents=q_QX.new_empty((1, 48)))[0]
                q_QX[index] = key_X * (40 / (key_X @ key_X))
        return q_QX

    monkeypatch.setattr(HeadReader, "queries", planted)
    *_, last = stages(run, Wanted(ALL, ALL, (32, 32), "probability", "max"))
    row, column = (211 // 32, 57 // 32) if behind is None else (range(2, 10), range(8))
    assert (last.values[0][row, column] >= 0.5).all()
    assert (last.values[0] < 0.5).sum() > 10


def test_rows_are_appended_and_the_others_are_not_computed_again(tmp_path: Path) -> None:
    grown, kept = Run(tmp_path, 200), Kept()
    *_, before = stages(grown, Wanted((0, 200), (0, 200), (8, 8), "probability", "max"), kept)
    feed(grown.recorder, grown.decoder, (30, 1), told=grown.told)
    asked: list[int] = []
    real = HeadReader.queries
    wanted = Wanted((0, 231), (0, 231), (8, 8), "probability", "max")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            HeadReader, "queries", lambda self, tokens, dtype: (asked.extend(tokens), real(self, tokens, dtype))[1]
        )
        *_, after = stages(grown, wanted, kept)
    assert asked == list(range(200, 231))
    np.testing.assert_array_equal(after.values[0][:25, :25], before.values[0])
    np.testing.assert_allclose(after.values[0], reduced(grown.values("probability"), wanted), atol=1e-6)


def test_a_view_of_known_rows_reads_only_its_own_keys(run: Run) -> None:
    kept = Kept()
    list(stages(run, Wanted(ALL, ALL, (8, 8), "probability", "max"), kept))
    read: list[tuple[int, int]] = []
    real = Scorer.keys
    wanted = Wanted((200, 232), (40, 72), (1, 1), "probability", "max")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Scorer, "keys", lambda self, a, b, q: (read.append((a, b)), real(self, a, b, q))[1])
        *_, last = stages(run, wanted, kept)
    assert read == [(40, 72)]
    np.testing.assert_allclose(last.values[0], run.values("probability")[200:232, 40:72], atol=1e-6)


def test_a_difference_is_that_of_two_heads(run: Run) -> None:
    wanted, kept = Wanted(ALL, ALL, (8, 8), "probability", "mean"), Kept()
    two = [HeadPicture(Scorer(run.reader(head), kept, arithmetic="float32"), wanted, kept) for head in (0, 1)]
    *_, last = pictures(two[:1], minus=two[1:])
    assert last is not None
    expected = [reduced(run.values("probability", head), wanted) for head in (0, 1)]
    np.testing.assert_allclose(last.values[0], expected[0] - expected[1], atol=1e-6)


def test_a_picture_on_its_way_is_not_disturbed_when_its_rounding_is_measured(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(picture, "QUERY_BATCH", 32)  # keys are expanded no further than a batch sees
    wanted = Wanted(ALL, ALL, (8, 8), "probability", "max")
    calm, disturbed = (HeadPicture(Scorer(run.reader(), Kept(), arithmetic="bf16"), wanted, Kept()) for _ in range(2))
    for _ in calm.every_row():
        pass
    for _ in disturbed.every_row():
        assert 0 < rounding_error(disturbed.scorer, ALL) < 0.05
    np.testing.assert_array_equal(disturbed.values(), calm.values())


def test_bfloat16_is_near(run: Run) -> None:
    wanted, kept = Wanted(ALL, ALL, (8, 8), "probability", "max"), Kept()
    one = HeadPicture(Scorer(run.reader(), kept, arithmetic="bf16"), wanted, kept)
    *_, last = pictures([one])
    assert last is not None
    error = np.nanmax(np.abs(last.values[0] - reduced(run.values("probability"), wanted)))
    assert 1e-6 < error < 0.02


def test_what_is_kept_is_bounded(run: Run) -> None:
    kept = Kept(limit=30_000)
    for head in (0, 1):
        for cell in (2, 4):
            list(stages(run, Wanted(ALL, ALL, (cell, cell), "probability", "max"), kept, head))
    kept.shrink()
    assert 0 < kept.nbytes <= 30_000 + 4 * 151**2


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"cell": (0, 1)}, "cell of 0"),
        ({"queries": (0, 4096), "keys": (0, 4096), "cell": (1, 1)}, "4,096 × 4,096"),
        ({"quantity": "content", "reduction": "sum"}, "summed"),
    ],
)
def test_what_cannot_be_drawn_is_refused(change: dict[str, Any], named: str) -> None:
    wanted = Wanted(ALL, ALL, (8, 8), "probability", "max")._replace(**change)
    with pytest.raises(Problem, match=named):
        check(wanted, 1)
    with pytest.raises(Problem, match="0 heads"):
        check(Wanted(ALL, ALL, (8, 8), "probability", "max"), 0)


@pytest.mark.parametrize("attention", ["mha", "gqa", "mqa"])
def test_models_without_latents_are_drawn_too(tmp_path: Path, attention: str) -> None:
    groups = {"mha": 2, "gqa": 1, "mqa": 1}[attention]
    config = tiny_config(kv_heads=groups, q_lora_rank=None, kv_lora_rank=0, v_head_dim=10)
    decoder = random_decoder(config)
    recorder = Recorder.create(tmp_path / "run", run_info(config))
    feed(recorder, decoder, (60, 1))
    projections, kept = Projections.of(decoder), Kept()
    expected = probabilities(recorder.recording, projections, layer=1, heads=(1,), queries=(0, 61), keys=(0, 61))[0]
    reader = HeadReader(recorder.recording, projections, layer=1, head=1)
    wanted = Wanted((0, 61), (0, 61), (1, 1), "probability", "max")
    *_, last = pictures([HeadPicture(Scorer(reader, kept, arithmetic="float32"), wanted, kept)])
    assert last is not None
    np.testing.assert_allclose(np.nan_to_num(last.values[0]), expected, atol=1e-6)
    pair, _ = whole(connections(recorder.recording, projections, layer=1, query=40, key=7))
    assert pair[0, 1] == pytest.approx(expected[40, 7], abs=1e-6)
