import importlib.util

import pytest

from model.checkpoint.folder import read_checkpoint
from model.engine import limits, measure_growth, measure_prefill, peer
from model.engine.bandwidth import read_bandwidth
from model.engine.measure_growth import Point, growth_measures
from model.engine.measure_prefill import prefill_measures
from model.messages import Failed, Measure, Measured, OpenCheckpoint
from model.shapes import parameters_active, step_bytes
from tests.model.engine.talk import answer, talk
from tests.model.network.tiny import TINY


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is checked is what is compared with what, not how fast it is."""
    monkeypatch.setattr("model.engine.measure.read_bandwidth", lambda threads, device: 1e9)
    monkeypatch.setattr(peer, "HEAT_TOKENS", 1)
    monkeypatch.setattr(measure_prefill, "TURNS", 1)
    monkeypatch.setattr(measure_growth, "WARM_UP", 16)
    monkeypatch.setattr(measure_growth, "WINDOW", 8)


def test_decoding_is_compared_at_every_context_or_the_longest(tiny: str) -> None:
    events = talk(
        OpenCheckpoint(request=1, path=tiny, dtype="float32"), Measure(request=2, contexts=[16, 4096], tokens=8)
    )
    measured = answer(events, Measured, 2)
    longest = 256 - 11
    assert set(measured.measures) == {
        f"{name}_{context}" for name in ("recording", "decode", "same_tokens", "bandwidth") for context in (16, longest)
    }
    for context in (16, longest):
        decode = measured.measures[f"decode_{context}"]
        assert decode.ratio == pytest.approx(decode.value / (decode.peer or 0))
        assert decode.limit == 8.0
        bandwidth = measured.measures[f"bandwidth_{context}"]
        read = decode.value * step_bytes(read_checkpoint(tiny).config, "float32", context)
        assert bandwidth.value == pytest.approx(read / 1e9)
        assert bandwidth.peer == 1.0
        assert measured.measures[f"same_tokens_{context}"].ratio == 1


def test_without_transformers_the_peer_is_missing_and_a_note_says_so(
    tiny: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr("model.engine.peer.find_spec", lambda name: None if name == "transformers" else found(name))
    events = talk(
        OpenCheckpoint(request=1, path=tiny),
        Measure(request=2, contexts=[16], tokens=8),
        Measure(request=3, what="prefill", contexts=[16]),
    )
    for request, name in ((2, "decode_16"), (3, "prefill_16")):
        measured = answer(events, Measured, request)
        assert measured.measures[name].peer is None
        assert "transformers" in measured.notes[0]


def test_more_tokens_than_the_context_are_refused(tiny: str) -> None:
    events = talk(
        OpenCheckpoint(request=1, path=tiny),
        Measure(request=2, contexts=[16], tokens=400),
        Measure(request=3, what="prefill", contexts=[16, 256]),
        Measure(request=4, what="growth", contexts=[], tokens=400),
    )
    for request, word in ((2, "context"), (3, "context"), (4, "191")):
        assert word in answer(events, Failed, request).message


def test_prompts_are_raced_against_every_way_that_is_near_the_best(tiny: str) -> None:
    events = talk(OpenCheckpoint(request=1, path=tiny), Measure(request=2, what="prefill", contexts=[32, 64]))
    measured = answer(events, Measured, 2)
    assert set(measured.measures) == {"prefill_32", "prefill_64"}
    for measure in measured.measures.values():
        assert measure.ratio == pytest.approx(measure.value / (measure.peer or 0))
        assert measure.limit == 1.2
    assert any("recorded" in note for note in measured.notes)
    assert any("sdpa" in note or "eager" in note for note in measured.notes)


def test_the_best_way_of_the_peer_counts() -> None:
    measure = prefill_measures(2048, {"recorded": 300.0, "sdpa": 100.0, "eager": 120.0})["prefill_2048"]
    assert (measure.value, measure.peer, measure.ratio, measure.limit) == (300.0, 120.0, 2.5, 2.0)


def test_growth_is_measured_over_one_generation(tiny: str) -> None:
    events = talk(OpenCheckpoint(request=1, path=tiny), Measure(request=2, what="growth", contexts=[], tokens=100))
    measures = answer(events, Measured, 2).measures
    assert set(measures) == {"memory", "time"}
    # 92 tokens between the two points, of which the early one had seen 64 + 16 + 8.
    assert measures["time"].peer == pytest.approx((64 + 100) / (64 + 16 + 8), rel=0.02)
    assert measures["time"].limit == 1.0


def test_growth_compares_private_bytes_with_those_shown() -> None:
    early = Point(seconds=0.001, private=100_000_000, shown=10_000_000, latents=1_000_000)
    late = Point(seconds=0.004, private=122_000_000, shown=30_000_000, latents=8_000_000)
    measures = growth_measures(early, late)
    assert measures["memory"].ratio == pytest.approx(1.1)
    assert measures["memory"].value == pytest.approx(22.0)
    assert measures["time"].ratio == pytest.approx(0.5)


def test_a_step_reads_every_active_weight_once_and_all_latents() -> None:
    active = 1000 * parameters_active(TINY)
    latents = 3 * (32 + 8)
    assert step_bytes(TINY, "float32", 0) * 1000 == 4 * active
    assert step_bytes(TINY, "bfloat16", 100) - step_bytes(TINY, "bfloat16", 0) == 2 * 100 * latents


def test_limits_follow_size_dtype_and_context(monkeypatch: pytest.MonkeyPatch) -> None:
    assert limits.decode_limit(TINY, "float32", 64) == limits.decode_limit(TINY, "float32", 2048) == 8.0
    assert limits.bandwidth_limit(TINY, "float32", 64) is None
    monkeypatch.setattr(limits, "CACHED_BYTES", 1000)
    assert limits.decode_limit(TINY, "float32", 64) == 2.7
    assert limits.decode_limit(TINY, "bfloat16", 64) == 3.5
    assert limits.decode_limit(TINY, "bfloat16", 2048) == limits.decode_limit(TINY, "float32", 2048) == 15.0
    assert limits.bandwidth_limit(TINY, "float32", 64) == 0.75
    assert limits.bandwidth_limit(TINY, "bfloat16", 64) == 0.7
    assert limits.bandwidth_limit(TINY, "bfloat16", 2048) is None
    assert limits.prefill_limit(512) == 1.2
    assert limits.prefill_limit(2048) == 2.0


def test_bandwidth_is_bytes_over_the_seconds_of_the_best_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 4.0, 10.0, 12.0, 20.0, 23.0])
    monkeypatch.setattr("model.engine.bandwidth.time.perf_counter", lambda: next(clock))
    assert read_bandwidth(1, size=2**20, passes=3) == 2**20 / 2.0
