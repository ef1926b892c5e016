"""When and how a run folder is written, and what a disk that refuses changes: nothing for the run."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from model.problems import Problem
from model.recording.recorder import FLUSH_SECONDS, Recorder
from model.recording.recording import Recording
from tests.model.recording.runs import Clock, every_column, feed, random_decoder, run_info, tiny_config

CONFIG = tiny_config()


def test_the_tail_is_on_disk_after_two_seconds_and_is_superseded_by_a_fuller_one(tmp_path: Path) -> None:
    clock = Clock()
    recorder = Recorder.create(tmp_path, run_info(CONFIG), clock=clock)
    decoder = random_decoder(CONFIG)
    told = feed(recorder, decoder, (9, 1))
    assert Recording.open(tmp_path).tokens == 0
    clock.now = FLUSH_SECONDS
    feed(recorder, decoder, (1,), told=told)
    assert Recording.open(tmp_path).tokens == 11
    assert [path.name for path in tmp_path.glob("chunk*")] == ["chunk-000000-0011.safetensors"]
    feed(recorder, decoder, (1,), told=told)
    assert Recording.open(tmp_path).tokens == 11
    clock.now = 2 * FLUSH_SECONDS
    feed(recorder, decoder, (1,), told=told)
    assert Recording.open(tmp_path).tokens == 13
    assert [path.name for path in tmp_path.glob("chunk*")] == ["chunk-000000-0013.safetensors"]
    feed(recorder, decoder, (244,), told=told)
    assert sorted(path.name for path in tmp_path.glob("chunk*")) == ["chunk-000000-0256.safetensors"]
    recorder.finish("stopped", "")
    assert every_column(Recording.open(tmp_path)) == every_column(recorder.recording)


def test_a_run_that_is_cut_off_keeps_what_was_flushed(tmp_path: Path) -> None:
    recorder = Recorder.create(tmp_path, run_info(CONFIG))
    feed(recorder, random_decoder(CONFIG), (256, 40))
    opened = Recording.open(tmp_path)
    assert opened.tokens == 256
    assert opened.finish is None
    assert opened.notes == ["the run was cut off; all 256 recorded tokens were recovered"]


class FailingCalls:
    """Lets os.fsync and os.replace through until the n-th call, which fails, and so do all after it or none."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, at: int, for_good: bool) -> None:
        self.calls, self.at, self.for_good = 0, at, for_good
        for name in ("fsync", "replace"):
            monkeypatch.setattr(os, name, self.counted(getattr(os, name)))

    def counted(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*arguments: Any) -> Any:
            self.calls += 1
            if self.calls == self.at or (self.for_good and self.calls > self.at):
                raise OSError(28, "No space left on device")
            return call(*arguments)

        return wrapped

    def stop(self) -> None:
        self.at, self.for_good = 0, False


@pytest.mark.parametrize("for_good", [False, True])
@pytest.mark.parametrize("n", range(1, 21))
def test_whichever_call_fails_a_whole_state_is_on_disk_and_the_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, n: int, for_good: bool
) -> None:
    clock = Clock()
    recorder = Recorder.create(tmp_path, run_info(CONFIG), clock=clock)
    decoder = random_decoder(CONFIG)
    with monkeypatch.context() as patch:
        failing = FailingCalls(patch, at=n, for_good=for_good)
        told, safe = None, 0
        for sizes in ((100, 1), (200,), (1, 300)):
            clock.now += FLUSH_SECONDS
            told = feed(recorder, decoder, sizes, told=told)
            opened = Recording.open(tmp_path)
            assert opened.texts() == told.texts[: opened.tokens]
            assert opened.tokens >= safe
            safe = opened.tokens
            assert recorder.recording.texts() == told.texts
        assert failing.calls >= n
    assert told is not None
    recorder.finish("length", "all of it")
    opened = Recording.open(tmp_path)
    assert every_column(opened) == every_column(recorder.recording)
    assert opened.tokens == 602
    assert "No space left" in opened.notes[0]
    assert "takes the recording again" in recorder.recording.notes[-1]


def test_a_full_disk_pauses_the_recording_at_a_bound_and_never_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = Recorder.create(tmp_path, run_info(CONFIG))
    bound = 3 * recorder.recording.memory_bytes
    monkeypatch.setattr("model.recording.recorder.KEPT_BYTES_LIMIT", bound)
    FailingCalls(monkeypatch, at=1, for_good=True)
    feed(recorder, random_decoder(CONFIG), (500, 500, 500))
    recorder.finish("length", "")
    assert recorder.recording.memory_bytes <= bound
    assert recorder.recording.tokens == 768
    assert recorder.recording.texts(760) == feed_texts(760, 768)
    assert "the recording stops at token 768" in recorder.recording.notes[1]
    monkeypatch.undo()
    assert Recording.open(tmp_path).tokens == 0
    recorder.flush()
    assert Recording.open(tmp_path).texts() == feed_texts(0, 768)


def feed_texts(start: int, end: int) -> list[str]:
    """What `feed` says for tokens in steps of 500."""
    return [f"é{((n % 500) * 7 + n // 500 * 500) % CONFIG.vocab_size}" for n in range(start, end)]


def test_a_folder_that_cannot_be_written_is_refused_before_the_run(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Problem, match="choose another folder"):
        Recorder.create(tmp_path / "file" / "run", run_info(CONFIG))


def test_a_folder_deleted_during_the_run_takes_nothing_that_was_shown(tmp_path: Path) -> None:
    recorder = Recorder.create(tmp_path / "run", run_info(CONFIG))
    decoder = random_decoder(CONFIG)
    told = feed(recorder, decoder, (300,))
    shutil.rmtree(tmp_path / "run")
    feed(recorder, decoder, (300,), told=told)
    recorder.finish("length", "")
    assert recorder.recording.texts() == told.texts
    assert recorder.recording.heavy("c_kv", layer_row=0).shape == (600, CONFIG.kv_lora_rank)
    assert "tokens from 256 on are not on disk yet" in recorder.recording.notes[0]
