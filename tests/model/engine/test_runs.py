from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from model.checkpoint.folder import read_checkpoint
from model.checkpoint.loading import load
from model.config import Sampling
from model.engine import generation, reporter, threads
from model.messages import (
    AttentionShown,
    Event,
    Extract,
    Extracted,
    Failed,
    Finished,
    Generate,
    Grown,
    OpenCheckpoint,
    Opened,
    OpenRecording,
    Started,
    Stop,
)
from model.network.decoding import DecodeStep
from model.recording.recording import Recording
from tests.model.engine.talk import Script, answer, answers, talk
from tests.parity.tiny import make_checkpoint

PROMPT = [5, 7, 9, 200, 31]


def generated(events: list[Event], request: int) -> list[int]:
    steps = [event.steps.chosen_ids.numpy() for event in answers(events, Grown, request)]
    return [int(token) for token in np.concatenate(steps) if token >= 0]


def test_greedy_tokens_are_those_of_transformers(v2: tuple[Path, Any]) -> None:
    folder, oracle = v2
    events = talk(OpenCheckpoint(request=1, path=str(folder)), Generate(request=2, token_ids=PROMPT, max_new_tokens=20))
    ids = list(PROMPT)
    with torch.inference_mode():
        for _ in range(20):
            ids.append(int(oracle(torch.tensor([ids])).logits[0, -1].argmax()))
    assert generated(events, 2) == ids[len(PROMPT) :]
    assert answer(events, Finished, 2).reason == "length"


def test_more_threads_on_the_way_change_no_token(v2: tuple[Path, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    counts: list[int] = []

    def by_context(*_model: Any, context: int = 0) -> int:
        counts.append(1 if context < len(PROMPT) + 6 else 2)
        return counts[-1]

    def run() -> list[int]:
        command = Generate(request=2, token_ids=PROMPT, max_new_tokens=20)
        return generated(talk(OpenCheckpoint(request=1, path=str(v2[0])), command), 2)

    expected = run()
    monkeypatch.setattr(generation, "REFIT_TOKENS", 4)
    monkeypatch.setattr(threads, "decode_threads", by_context)
    assert run() == expected
    assert set(counts) == {1, 2}


def test_every_array_has_one_row_per_token_fed(tiny: str, tmp_path: Path) -> None:
    events = talk(
        OpenCheckpoint(request=1, path=tiny),
        Generate(request=2, token_ids=PROMPT, max_new_tokens=7, folder=str(tmp_path / "run"), keep_logits=True),
    )
    fed = len(PROMPT) + 7 - 1
    recording = Recording.open(tmp_path / "run")
    assert recording.tokens == fed
    assert len(recording.light("ids")) == fed
    assert recording.light("ids").tolist() == PROMPT + generated(events, 2)[:-1]
    assert recording.heavy("logits", layer_row=0).shape == (fed, 257)
    assert recording.light("tokens").tolist() == [5, 6, 7, 8, 9, 10, 11]


def test_recorded_log_probabilities_are_those_of_the_logits(tiny: str, tmp_path: Path) -> None:
    talk(
        OpenCheckpoint(request=1, path=tiny),
        Generate(request=2, token_ids=PROMPT, max_new_tokens=4, folder=str(tmp_path / "run"), keep_logits=True),
    )
    recording = Recording.open(tmp_path / "run")
    logits = torch.from_numpy(recording.heavy("logits", layer_row=0))
    expected = logits.log_softmax(-1)[torch.arange(7), torch.from_numpy(recording.light("ids")[1:]).long()]
    found = recording.light("log_probability")
    assert np.isnan(found[0])
    np.testing.assert_allclose(found[1:], expected.numpy(), atol=1e-5)
    top = recording.light("top_log_probability")[-1]
    np.testing.assert_allclose(top, logits[-1].log_softmax(-1).topk(5).values.numpy(), atol=1e-5)


def test_a_run_stops_before_the_next_token(tiny: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reporter, "BATCH_SECONDS", 0.0)  # told token by token, however fast they come
    told: list[int] = []

    def stop_when_it_decodes(event: Event, script: Script) -> None:
        if isinstance(event, Grown) and event.steps.decode.numpy().any() and not told:
            told.append(int(event.steps.tokens.numpy()[-1]))
            script.commands.append(Stop(request=3, target=2))

    events = talk(
        OpenCheckpoint(request=1, path=tiny),
        Generate(request=2, token_ids=PROMPT, max_new_tokens=200),
        react=stop_when_it_decodes,
    )
    assert answer(events, Finished, 2).reason == "stopped"
    assert sum(len(event.tokens.texts) for event in answers(events, Grown, 2)) == told[0]


def test_a_stop_while_the_rest_is_told_changes_nothing(tiny: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reporter, "BATCH_SECONDS", 1e9)  # after the prompt nothing is told before the run has ended

    def stop_when_told(event: Event, script: Script) -> None:
        if isinstance(event, Grown) and event.steps.decode.numpy().any():
            script.commands.append(Stop(request=3, target=2))

    events = talk(
        OpenCheckpoint(request=1, path=tiny),
        Generate(request=2, token_ids=PROMPT, max_new_tokens=3),
        react=stop_when_told,
    )
    assert answer(events, Finished, 2).reason == "length"
    assert sum(len(event.tokens.texts) for event in answers(events, Grown, 2)) == len(PROMPT) + 2


def test_a_late_stop_and_a_stop_of_nothing_are_harmless(tiny: str) -> None:
    def stop_late(event: Event, script: Script) -> None:
        if isinstance(event, Finished) and event.request == 2:
            script.commands += [
                Stop(request=3, target=2),
                Stop(request=4, target=99),
                Generate(request=5, token_ids=PROMPT, max_new_tokens=1),
            ]

    events = talk(
        OpenCheckpoint(request=1, path=tiny),
        Generate(request=2, token_ids=PROMPT, max_new_tokens=2),
        react=stop_late,
    )
    assert answer(events, Finished, 5).reason == "length"
    assert not any(isinstance(event, Failed) for event in events)


def test_a_stopped_load_keeps_the_open_model(tiny: str) -> None:
    def stop_second_load(event: Event, script: Script) -> None:
        if isinstance(event, Opened):
            script.commands += [
                OpenCheckpoint(request=2, path=tiny),
                Stop(request=3, target=2),
                Generate(request=4, token_ids=PROMPT, max_new_tokens=1),
            ]

    events = talk(OpenCheckpoint(request=1, path=tiny), react=stop_second_load)
    assert answer(events, Failed, 2).message == "Stopped before it was done."
    assert answer(events, Finished, 4).reason == "length"


def test_a_failed_load_keeps_the_open_model(tiny: str, tmp_path: Path) -> None:
    events = talk(
        OpenCheckpoint(request=1, path=tiny),
        OpenCheckpoint(request=2, path=str(tmp_path)),
        Generate(request=3, token_ids=PROMPT, max_new_tokens=1),
    )
    assert "config.json" in answer(events, Failed, 2).message
    assert answer(events, Finished, 3).reason == "length"


def test_a_window_that_is_behind_gets_one_later_batch(tiny: str) -> None:
    def fall_behind(event: Event, script: Script) -> None:
        if isinstance(event, Started):
            script.behind_for = 60

    events = talk(
        OpenCheckpoint(request=1, path=tiny),
        Generate(request=2, token_ids=PROMPT, max_new_tokens=40),
        react=fall_behind,
    )
    batches = answers(events, Grown, 2)
    assert len(batches[0].tokens.texts) >= 20
    assert sum(len(batch.tokens.texts) for batch in batches) == len(PROMPT) + 39


def test_batches_continue_where_the_last_one_ended(tiny: str) -> None:
    events = talk(OpenCheckpoint(request=1, path=tiny), Generate(request=2, token_ids=PROMPT, max_new_tokens=120))
    batches = answers(events, Grown, 2)
    tokens = [(batch.tokens.first, len(batch.tokens.texts)) for batch in batches]
    assert all(first + count == following for (first, count), (following, _) in pairwise(tokens))
    assert sum(count for _, count in tokens) == len(PROMPT) + 119


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (Generate(token_ids=[5, 257]), ["257", "256"]),
        (Generate(token_ids=[-1]), ["-1", "256"]),
        (Generate(token_ids=[]), ["empty"]),
        (Generate(token_ids=[3] * 257), ["257", "256"]),
        (Generate(prompt="hello"), ["no tokenizer"]),
        (Generate(token_ids=[3], max_new_tokens=-1), ["-1"]),
        (Generate(token_ids=[3], sampling=Sampling(temperature=float("nan"))), ["temperature"]),
    ],
)
def test_what_cannot_be_run_is_refused_in_a_sentence(tiny: str, command: Generate, words: list[str]) -> None:
    events = talk(OpenCheckpoint(request=1, path=tiny), command)
    message = answer(events, Failed, 0).message
    assert all(word in message for word in words), message
    assert message.endswith(".")


def test_without_a_model_a_prompt_is_refused() -> None:
    assert "open a checkpoint" in answer(talk(Generate(request=1, token_ids=[1])), Failed, 1).message


def test_the_context_ends_a_run_with_a_note(tiny: str) -> None:
    events = talk(OpenCheckpoint(request=1, path=tiny), Generate(request=2, token_ids=[3] * 250, max_new_tokens=50))
    finished = answer(events, Finished, 2)
    assert finished.reason == "length"
    assert "256" in finished.note
    assert sum(len(event.tokens.texts) for event in answers(events, Grown, 2)) == 256


def test_an_end_token_is_generated_but_not_fed(v2: tuple[Path, Any], tiny: str, tmp_path: Path) -> None:
    free = talk(OpenCheckpoint(request=1, path=tiny), Generate(request=2, token_ids=PROMPT, max_new_tokens=8))
    tokens = generated(free, 2)
    make_checkpoint(tmp_path, "v2", eos_token_id=tokens[3])
    events = talk(
        OpenCheckpoint(request=1, path=str(tmp_path)), Generate(request=2, token_ids=PROMPT, max_new_tokens=8)
    )
    stopped_at = tokens.index(tokens[3]) + 1
    assert generated(events, 2) == tokens[:stopped_at]
    assert answer(events, Finished, 2).reason == "eos"
    fed = sum(len(event.tokens.texts) for event in answers(events, Grown, 2))
    assert fed == len(PROMPT) + stopped_at - 1


def test_no_new_tokens_means_only_the_prompt(tiny: str) -> None:
    events = talk(OpenCheckpoint(request=1, path=tiny), Generate(request=2, token_ids=PROMPT, max_new_tokens=0))
    assert generated(events, 2) == []
    assert sum(len(event.tokens.texts) for event in answers(events, Grown, 2)) == len(PROMPT)


def test_the_same_seed_gives_the_same_tokens(tiny: str) -> None:
    def command(request: int, seed: int) -> Generate:
        sampling = Sampling(temperature=1.5, seed=seed)
        return Generate(request=request, token_ids=PROMPT, max_new_tokens=20, sampling=sampling)

    events = talk(OpenCheckpoint(request=1, path=tiny), command(2, 4), command(3, 4), command(4, 5))
    assert generated(events, 2) == generated(events, 3)
    assert generated(events, 2) != generated(events, 4)


def test_recording_changes_no_bit_of_the_logits(tiny: str, tmp_path: Path) -> None:
    decoder = load(read_checkpoint(tiny), device=torch.device("cpu"))
    step = DecodeStep(decoder, threads=1)
    step.wait()  # torch and the kernels differ in the last bits, and a run changes over when these are ready
    talk(
        OpenCheckpoint(request=1, path=tiny),
        Generate(request=2, token_ids=PROMPT, max_new_tokens=6, folder=str(tmp_path / "run"), keep_logits=True),
    )
    recording = Recording.open(tmp_path / "run")
    cache = decoder.new_cache()
    with torch.inference_mode():
        threads.use(threads.ALL)  # the same products in the same order, or the last bit differs
        rows = [decoder.step(torch.tensor(PROMPT), cache, logits="all")]
        threads.use(1)
        for token in recording.light("ids")[len(PROMPT) :]:
            rows.append(step(torch.tensor([int(token)]), cache))
    np.testing.assert_array_equal(recording.heavy("logits", layer_row=0), torch.cat(rows).numpy())


def test_logits_that_are_no_numbers_end_the_run_and_keep_the_trace(tmp_path: Path) -> None:
    model = make_checkpoint(tmp_path, "v2", eos_token_id=None)
    with torch.no_grad():
        model.model.embed_tokens.weight[9] = float("nan")
    model.save_pretrained(tmp_path)
    events = talk(
        OpenCheckpoint(request=1, path=str(tmp_path)), Generate(request=2, token_ids=[5, 7, 9], max_new_tokens=5)
    )
    finished = answer(events, Finished, 2)
    assert finished.reason == "failed"
    assert "token 2" in finished.note
    assert sum(len(event.tokens.texts) for event in answers(events, Grown, 2)) == 3


def test_a_recording_opens_without_its_checkpoint_and_shows_the_same(tmp_path: Path) -> None:
    make_checkpoint(tmp_path / "model", "v3")
    run = str(tmp_path / "run")
    live = talk(
        OpenCheckpoint(request=1, path=str(tmp_path / "model")),
        Generate(request=2, token_ids=PROMPT, max_new_tokens=12, folder=run),
        Extract(request=3, run="run-1", view="attention", file=str(tmp_path / "early.npz"), layer=1, head=2),
        react=lambda event, script: (
            script.commands.append(
                Extract(request=4, run="run-1", view="attention", file=str(tmp_path / "live.npz"), layer=1, head=2)
            )
            if isinstance(event, Finished)
            else None
        ),
    )
    (tmp_path / "model" / "config.json").unlink()
    opened = talk(
        OpenRecording(request=1, folder=run),
        react=lambda event, script: (
            script.commands.append(
                Extract(request=2, run="run-1", view="attention", file=str(tmp_path / "opened.npz"), layer=1, head=2)
            )
            if isinstance(event, Finished)
            else None
        ),
    )
    assert answer(opened, Started, 1).info.attention_available
    assert answer(opened, Finished, 1).reason == "opened"
    shown = answers(opened, Grown, 1)
    told = answers(live, Grown, 2)
    assert [text for batch in shown for text in batch.tokens.texts] == [
        text for batch in told for text in batch.tokens.texts
    ]
    assert answer(opened, Extracted, 2).arrays["probabilities"] == ("float32", (16, 16))
    with np.load(tmp_path / "live.npz") as first, np.load(tmp_path / "opened.npz") as second:
        np.testing.assert_array_equal(first["probabilities"], second["probabilities"])


def test_without_projections_a_recording_says_why_attention_is_missing(tmp_path: Path) -> None:
    make_checkpoint(tmp_path / "model", "v2")
    run = tmp_path / "run"
    talk(
        OpenCheckpoint(request=1, path=str(tmp_path / "model")),
        Generate(request=2, token_ids=PROMPT, max_new_tokens=2, folder=str(run)),
    )
    (run / "projections.safetensors").unlink()
    there = talk(OpenRecording(request=1, folder=str(run)))
    assert answer(there, Started, 1).info.attention_available
    (tmp_path / "model" / "config.json").unlink()
    gone = answer(talk(OpenRecording(request=1, folder=str(run))), Started, 1).info
    assert not gone.attention_available
    assert "config.json" in gone.attention_reason


def test_nothing_is_shown_of_a_run_that_is_not_open() -> None:
    events = talk(Extract(request=1, run="run-7", view="memory", file="unused.npz"))
    assert "run-7" in answer(events, Failed, 1).message
    assert not answers(events, AttentionShown, 1)
