"""Whatever is tried after it, the model that is open stays open and still generates."""

import json
from pathlib import Path

import pytest

from model.engine import threads
from model.messages import (
    Command,
    Describe,
    Failed,
    Finished,
    Generate,
    OpenCheckpoint,
    Opened,
    OpenRecording,
)
from tests.bad.config import BAD_CONFIGS
from tests.bad.formats import BAD_FORMATS
from tests.bad.make import Bad, is_one_sentence
from tests.bad.weights import BAD_WEIGHTS
from tests.model.checkpoint.sample import write_sample
from tests.model.engine.talk import answer, talk

BAD = BAD_WEIGHTS | BAD_CONFIGS | BAD_FORMATS
BY_CASE = {name[:7]: bad for name, bad in reversed(BAD.items())}  # the first of every case


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def bad_run(folder: Path) -> None:
    (folder / "manifest.json").write_text(json.dumps({"format": 99}))


def test_the_open_model_outlives_one_bad_folder_of_every_case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "ALL", 1)
    good = tmp_path / "good"
    good.mkdir()
    commands: list[Command] = [OpenCheckpoint(request=1, path=str(write_sample(good)))]
    commands += tried(BY_CASE, tmp_path)
    generation = len(commands) + 1
    commands.append(Generate(request=generation, token_ids=[2, 3], max_new_tokens=4))
    descriptors = open_descriptors()
    events = talk(*commands)
    answer(events, Opened, 1)
    for request in range(2, generation):
        refusal = answer(events, Failed, request)
        assert is_one_sentence(refusal.message), refusal.message
        assert "made a mistake" not in refusal.message
    assert answer(events, Finished, generation).reason in ("length", "eos")
    assert open_descriptors() <= descriptors + 4


def tried(table: dict[str, Bad], parent: Path) -> list[Command]:
    """Every bad folder described and opened, and one that is no recording."""
    commands: list[Command] = []
    for number, bad in enumerate(table.values()):
        folder = parent / str(number)
        folder.mkdir()
        bad.make(folder)
        commands.append(Describe(request=len(commands) + 2, path=str(folder)))
        commands.append(OpenCheckpoint(request=len(commands) + 2, path=str(folder)))
    run = parent / "run"
    run.mkdir()
    bad_run(run)
    commands.append(OpenRecording(request=len(commands) + 2, folder=str(run)))
    return commands
