"""Whole runs through the engine's own loop: tokens, recording, proof, and every question about attention."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from model.checkpoint.folder import read_checkpoint
from model.checkpoint.loading import load
from model.engine import threads
from model.lens_messages import (
    AggregateAttention,
    AskHeads,
    MeasureDrift,
    Minus,
    ShowCell,
    ShowLatentMap,
    ShowPicture,
    ShowRanks,
    ShowReading,
    SurveyHeads,
)
from model.messages import (
    Array,
    Event,
    Extract,
    Failed,
    Finished,
    Generate,
    Grown,
    Measure,
    Measured,
    OpenCheckpoint,
    OpenRecording,
    ShowAttention,
    ShowRow,
    Verified,
    Verify,
)
from model.network.decoding import DecodeStep
from model.recording.recording import Recording
from tests.model.engine.talk import Script, answer, answers, talk

PROMPT = [20, 21, 22, 23] * 10
NEW = 100
TOKENS = len(PROMPT) + NEW - 1
ALL = (0, TOKENS)
RUN: dict[str, Any] = {"run": "run-1", "layer": 1}
QUESTIONS: list[Any] = [
    ShowPicture(**RUN, heads=[0, 3], queries=ALL, keys=ALL, cell=(8, 4), reduction="mean", exact=True, slot="a"),
    ShowPicture(**RUN, heads=[3], queries=ALL, keys=ALL, cell=(1, 1), exact=True, slot="b", minus=Minus(**RUN, head=0)),
    ShowCell(**RUN, head=3, query=17, key=4),
    SurveyHeads(run="run-1", layers=[1, 2], edge=16, rows=0, exact=True),
    AggregateAttention(**RUN, head=3),
    ShowLatentMap(**RUN, tokens=ALL, cell=4),
    ShowRanks(run="run-1"),
    ShowReading(**RUN),
    MeasureDrift(**RUN, heads=[0, 3], formats=["int8", "fp8", "int4"], rows=0),
    AskHeads(run="run-1", query=17, key=4),
    ShowRow(**RUN, head=3, query=90),
    ShowAttention(**RUN, heads=[1], queries=ALL, keys=ALL, rows=40, columns=40),
]
UNSTEADY = ("seconds", "sinks", "labels", "scores")  # times, and orders that the last bit may change


def opened(folder: Path, device: torch.device, **more: Any) -> OpenCheckpoint:
    return OpenCheckpoint(request=1, path=str(folder), dtype="float32", device=str(device), **more)


def asked() -> list[Any]:
    return [
        type(one)(**{name: getattr(one, name) for name in one.__struct_fields__} | {"request": 10 + number})
        for number, one in enumerate(QUESTIONS)
    ]


def heard(folder: Path, device: torch.device) -> list[Event]:
    """A run and, when it is over, every question about it, one after the other."""

    waiting = asked()

    def ask(event: Event, script: Script) -> None:
        done = isinstance(event, Finished) or (event.request >= 10 and getattr(event, "final", True))
        if done and waiting:
            script.commands.append(waiting.pop(0))

    run = Generate(request=2, token_ids=PROMPT, max_new_tokens=NEW)
    return talk(opened(folder, device), run, react=ask)


def generated(events: list[Event], request: int = 2) -> list[int]:
    parts = [event.steps.chosen_ids.numpy() for event in answers(events, Grown, request)]
    return [int(token) for token in np.concatenate(parts)]


def numbers(event: Event) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in event.__struct_fields__:
        value = getattr(event, name)
        if name not in UNSTEADY and isinstance(value, Array | float):
            found[name] = value.numpy() if isinstance(value, Array) else value
    return found


def test_a_run_and_all_that_is_asked_of_it_are_the_cpus(folder: Path, device: torch.device) -> None:
    cpu, there = heard(folder, torch.device("cpu")), heard(folder, device)
    assert generated(there) == generated(cpu)
    finished = answer(there, Finished, 2)
    assert (finished.reason, "graph" in finished.note) == ("length", False), finished.note
    for request in range(10, 10 + len(QUESTIONS)):
        ours, theirs = ([event for event in events if event.request == request] for events in (there, cpu))
        assert not isinstance(ours[-1], Failed), ours[-1]
        mine, other = numbers(ours[-1]), numbers(theirs[-1])
        assert mine.keys() == other.keys()
        for name in mine:
            what = f"{type(ours[-1]).__name__}.{name}"
            np.testing.assert_allclose(mine[name], other[name], rtol=5e-3, atol=2e-4, err_msg=what)


def test_recording_changes_no_bit_of_the_logits(folder: Path, device: torch.device, tmp_path: Path) -> None:
    run = str(tmp_path / "run")
    talk(
        opened(folder, device),
        Generate(request=2, token_ids=PROMPT, max_new_tokens=NEW, folder=run, keep_logits=True),
    )
    recording = Recording.open(run)
    decoder = load(read_checkpoint(folder), dtype="float32", device=device)
    step, cache = DecodeStep(decoder, threads=1), decoder.new_cache()
    with torch.inference_mode():
        threads.use(threads.ALL)
        rows = [decoder.step(torch.tensor(PROMPT, device=device), cache, logits="all")]
        threads.use(1)
        for token in recording.light("ids")[len(PROMPT) :]:
            rows.append(step(torch.tensor([int(token)], device=device), cache))
    np.testing.assert_array_equal(recording.heavy("logits", layer_row=0), torch.cat(rows).cpu().numpy())


def test_the_proof_holds(folder: Path, device: torch.device) -> None:
    proof = answer(talk(opened(folder, device), Verify(request=2)), Verified, 2)
    assert proof.passed, proof
    narrow = OpenCheckpoint(request=1, path=str(folder), dtype="bfloat16", device=str(device))
    assert answer(talk(narrow, Verify(request=2)), Verified, 2).attention_max_abs <= 5e-2


def test_a_recording_of_the_device_opens_anywhere(v3: Path, device: torch.device, tmp_path: Path) -> None:
    files = [str(tmp_path / name) for name in ("live.npz", "opened.npz")]
    run = str(tmp_path / "run")

    def extract(number: int) -> Any:
        def react(event: Event, script: Script) -> None:
            if isinstance(event, Finished):
                script.commands.append(Extract(request=9, **RUN, view="attention", head=2, file=files[number]))

        return react

    talk(opened(v3, device), Generate(request=2, token_ids=PROMPT, max_new_tokens=9, folder=run), react=extract(0))
    talk(OpenRecording(request=1, folder=run), react=extract(1))
    with np.load(files[0]) as live, np.load(files[1]) as again:
        for name in live:
            np.testing.assert_allclose(again[name], live[name], rtol=1e-4, atol=1e-5)


def test_decoding_can_be_measured(v3: Path, device: torch.device) -> None:
    events = talk(opened(v3, device), Measure(request=2, contexts=[16], tokens=8))
    measured = answer(events, Measured, 2).measures
    assert {"decode_16", "bandwidth_16", "recording_16"} <= measured.keys()
    assert ("graph_16" in measured) == (device.type == "cuda")
