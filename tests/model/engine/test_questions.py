import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model.engine import answers as module
from model.messages import (
    AttentionShown,
    Describe,
    Described,
    Event,
    Failed,
    Finished,
    Generate,
    Grown,
    LatentsShown,
    OpenCheckpoint,
    Ready,
    RowShown,
    ScoresShown,
    ShowAttention,
    ShowLatents,
    ShowRow,
    ShowScores,
    Stop,
    Verified,
    Verify,
)
from model.recording.projections import LayerProjections, Projections
from tests.model.engine.talk import Script, answer, answers, talk
from tests.parity.tiny import make_checkpoint

PROMPT = list(range(20, 60))


def ask_after_the_run(path: str, *questions: Any) -> list[Event]:
    def ask(event: Event, script: Script) -> None:
        if isinstance(event, Finished):
            script.commands += questions

    return talk(
        OpenCheckpoint(request=1, path=path), Generate(request=2, token_ids=PROMPT, max_new_tokens=10), react=ask
    )


def attention(request: int, **options: Any) -> ShowAttention:
    settings: dict[str, Any] = {"layer": 1, "heads": [0, 3], "queries": (0, 49), "keys": (0, 49)}
    return ShowAttention(request=request, run="run-1", **(settings | {"rows": 64, "columns": 64} | options))


def test_the_first_word_is_ready() -> None:
    first = talk()[0]
    assert isinstance(first, Ready)
    assert "cpu" in first.devices


def test_a_question_is_answered_while_a_run_goes_on(tiny: str) -> None:
    def ask_once(event: Event, script: Script) -> None:
        if isinstance(event, Grown) and event.tokens.first == 0:
            script.commands.append(ShowRow(request=3, run="run-1", layer=2, head=1, query=4))

    events = talk(
        OpenCheckpoint(request=1, path=tiny),
        Generate(request=2, token_ids=PROMPT, max_new_tokens=60),
        react=ask_once,
    )
    kinds = [type(event) for event in events]
    assert kinds.index(RowShown) < kinds.index(Finished)


def test_a_row_of_a_map_is_the_row(tiny: str) -> None:
    events = ask_after_the_run(tiny, attention(3), ShowRow(request=4, run="run-1", layer=1, head=3, query=17))
    shown = answer(events, AttentionShown, 3)
    assert shown.cell == (1, 1)
    row = answer(events, RowShown, 4).probabilities.numpy()
    assert row.sum() == pytest.approx(1, abs=1e-6)
    np.testing.assert_allclose(shown.values.numpy()[1, 17, :18], row, atol=1e-7)
    assert np.isnan(shown.values.numpy()[1, 17, 18:]).all()


def test_a_newer_map_replaces_the_older_one_of_its_kind_only(tiny: str) -> None:
    events = ask_after_the_run(tiny, attention(3), attention(4, gallery=True), attention(5), attention(6, layer=2))
    shown = [event for event in events if isinstance(event, AttentionShown)]
    assert [(event.request, event.gallery) for event in shown] == [(6, False), (4, True)]


def test_a_question_can_be_stopped(tiny: str) -> None:
    events = ask_after_the_run(tiny, attention(3), Stop(request=4, target=3))
    assert answer(events, Failed, 3).message == "Stopped before it was done."
    assert not answers(events, AttentionShown, 3)


def test_scores_and_latents_have_one_row_per_token(tiny: str) -> None:
    events = ask_after_the_run(
        tiny,
        ShowScores(request=3, run="run-1", layer=2, tokens=(5, 25)),
        ShowLatents(request=4, run="run-1", layer=0, tokens=(0, 49)),
    )
    scores = answer(events, ScoresShown, 3).scores.numpy()
    assert scores.shape == (20, 8)
    np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-6)
    latents = answer(events, LatentsShown, 4)
    assert (latents.c_kv.shape, latents.k_rope.shape) == ((49, 32), (49, 8))


@pytest.mark.parametrize(
    "question",
    [
        attention(3, layer=3),
        attention(3, heads=[4]),
        attention(3, queries=(0, 50)),
        ShowRow(request=3, run="run-1", layer=0, head=0, query=49),
        ShowScores(request=3, run="run-1", layer=0, tokens=(0, 5)),
        ShowScores(request=3, run="run-1", layer=1, tokens=(0, 50)),
        ShowLatents(request=3, run="run-1", layer=-1, tokens=(0, 5)),
        ShowRow(request=3, run="run-2", layer=0, head=0, query=0),
    ],
)
def test_a_question_about_what_is_not_there_gets_a_sentence(tiny: str, question: Any) -> None:
    message = answer(ask_after_the_run(tiny, question), Failed, 3).message
    assert message.endswith(".")
    assert "mistake" not in message


def test_a_bug_becomes_a_sentence_and_the_engine_goes_on(
    tiny: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("inside")

    monkeypatch.setattr(module, "latents", broken)
    with caplog.at_level(logging.ERROR):
        events = ask_after_the_run(
            tiny,
            ShowLatents(request=3, run="run-1", layer=0, tokens=(0, 5)),
            ShowRow(request=4, run="run-1", layer=0, head=0, query=0),
        )
    assert "ZeroDivisionError" in answer(events, Failed, 3).message
    assert answer(events, RowShown, 4)
    assert caplog.records[0].exc_info


def test_running_out_of_memory_is_a_sentence(tiny: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise MemoryError

    monkeypatch.setattr(module, "latents", full)
    events = ask_after_the_run(tiny, ShowLatents(request=3, run="run-1", layer=0, tokens=(0, 5)))
    assert "memory" in answer(events, Failed, 3).message


def test_a_description_reads_headers_only(tiny: str, tmp_path: Path) -> None:
    events = talk(Describe(request=1, path=tiny), Describe(request=2, path=str(tmp_path / "nothing")))
    assert answer(events, Described, 1).summary.config.layers == 3
    assert "does not exist" in answer(events, Failed, 2).message


@pytest.mark.parametrize("family", ["v2", "v3"])
def test_the_proof_holds(tmp_path: Path, family: Any) -> None:
    make_checkpoint(tmp_path, family)
    proof = answer(talk(OpenCheckpoint(request=1, path=str(tmp_path)), Verify(request=2)), Verified, 2)
    assert proof.passed
    assert proof.attention_max_abs <= 5e-6
    assert proof.tokens >= 64


def test_the_proof_fails_when_a_projection_is_wrong(tiny: str, monkeypatch: pytest.MonkeyPatch) -> None:
    right = Projections.of

    def wrong(decoder: Any) -> Projections:
        layers = [right(decoder).layer(index) for index in range(decoder.config.layers)]
        layers[2] = LayerProjections(layers[2].q_weight, layers[2].kv_b * 1.001)
        return Projections(tuple(layers))

    monkeypatch.setattr(Projections, "of", wrong)
    proof = answer(talk(OpenCheckpoint(request=1, path=tiny), Verify(request=2)), Verified, 2)
    assert not proof.passed
    assert proof.attention_max_abs > 5e-6
