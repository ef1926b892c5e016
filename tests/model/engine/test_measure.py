import importlib.util

import pytest

from model.messages import Failed, Measure, Measured, OpenCheckpoint
from tests.model.engine.talk import answer, talk


def test_decoding_is_compared_at_every_context_or_the_longest(tiny: str) -> None:
    events = talk(OpenCheckpoint(request=1, path=tiny), Measure(request=2, contexts=[16, 4096], tokens=8))
    measured = answer(events, Measured, 2)
    longest = 256 - 11
    assert set(measured.measures) == {
        f"{name}_{context}" for name in ("recording", "decode", "same_tokens") for context in (16, longest)
    }
    for context, limit in ((16, 1.3), (longest, 2.3)):
        decode = measured.measures[f"decode_{context}"]
        assert decode.ratio == pytest.approx(decode.value / (decode.peer or 0))
        assert decode.limit == limit
        assert measured.measures[f"same_tokens_{context}"].ratio == 1
    assert measured.notes == []


def test_without_transformers_the_peer_is_missing_and_a_note_says_so(
    tiny: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr("model.engine.peer.find_spec", lambda name: None if name == "transformers" else found(name))
    events = talk(OpenCheckpoint(request=1, path=tiny), Measure(request=2, contexts=[16], tokens=8))
    measured = answer(events, Measured, 2)
    assert measured.measures["decode_16"].peer is None
    assert "transformers" in measured.notes[0]


def test_more_tokens_than_the_context_are_refused(tiny: str) -> None:
    events = talk(OpenCheckpoint(request=1, path=tiny), Measure(request=2, contexts=[16], tokens=400))
    assert "context" in answer(events, Failed, 2).message
