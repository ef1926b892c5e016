"""Cases 11, 13, 15, 16, 20 and 24 where the right answer is to go on, or to ask, and to say what is odd."""

import os
from pathlib import Path

import numpy as np
import pytest

from model.checkpoint.folder import read_checkpoint
from model.engine import threads
from model.messages import Describe, Described, Event, Failed, Finished, Generate, OpenCheckpoint, Opened
from model.tensorfile import write_tensors
from tests.bad.make import is_one_sentence, weights
from tests.model.checkpoint.sample import read_index, tensors_of, write_config, write_sample, write_sharded
from tests.model.engine.talk import Script, answer, talk


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "ALL", 1)


def test_case_11_a_file_that_the_index_does_not_name_is_left_alone(tmp_path: Path) -> None:
    """Published folders hold the same weights twice, as consolidated.safetensors."""
    write_sharded(tmp_path)
    (tmp_path / "consolidated.safetensors").write_bytes(b"not even a header")
    checkpoint = read_checkpoint(tmp_path)
    assert sorted(path.name for path in checkpoint.files) == sorted(set(read_index(tmp_path).values()))


def cached(entry: Path) -> Path:
    """A checkpoint as the Hugging Face cache keeps it: links in a snapshot to blobs named by their digests."""
    snapshot, blobs = entry / "snapshots" / "abc", entry / "blobs"
    snapshot.mkdir(parents=True)
    blobs.mkdir()
    write_sharded(snapshot)
    for number, path in enumerate(sorted(snapshot.iterdir())):
        path.rename(blobs / f"{number:064}")
        path.symlink_to(Path("../../blobs") / f"{number:064}")
    return snapshot


def test_case_13_links_within_the_hugging_face_cache_are_followed(tmp_path: Path) -> None:
    snapshot = cached(tmp_path / "models--a--b")
    assert read_checkpoint(snapshot).config.layers == 2
    events = talk(OpenCheckpoint(request=1, path=str(snapshot), device="cpu"))
    assert answer(events, Opened, 1).summary.parameters_total > 0


def test_case_13_the_same_links_outside_of_a_cache_are_refused(tmp_path: Path) -> None:
    events = talk(Describe(request=1, path=str(cached(tmp_path / "not-a-cache"))))
    assert "link out of its folder" in answer(events, Failed, 1).message


def test_case_15_a_file_replaced_while_it_is_mapped_leaves_the_open_model_its_weights(tmp_path: Path) -> None:
    """Writers that rename leave the old file to those who have it open; opening again sees the new one."""
    write_sample(tmp_path, topk_method="greedy")
    zeros = {name: ("F32", np.zeros_like(values)) for name, (_, values) in tensors_of().items()}

    def go_on(event: Event, script: Script) -> None:
        """Loads begin beside runs, so what comes after is asked only then."""
        if isinstance(event, Finished) and event.request == 2:
            write_tensors(weights(tmp_path), zeros)
            script.commands.append(run(3))
        if isinstance(event, Finished) and event.request == 3:
            script.commands.append(model(4))
        if isinstance(event, Opened) and event.request == 4:
            script.commands.append(run(5))

    def model(request: int) -> OpenCheckpoint:
        return OpenCheckpoint(request=request, path=str(tmp_path), device="cpu", dtype="float32")

    def run(request: int) -> Generate:
        return Generate(request=request, token_ids=[2, 3], max_new_tokens=4)

    events = talk(model(1), run(2), react=go_on)
    assert [("Router ties" in answer(events, Finished, run).note) for run in (2, 3, 5)] == [False, False, True]


def test_case_16_tensors_that_nothing_asks_for_are_counted_and_named(tmp_path: Path) -> None:
    extras = {f"model.extra.{number}": ("F32", np.zeros(1, np.float32)) for number in range(7)}
    write_tensors(weights(write_config(tmp_path)), tensors_of() | extras)
    notes = " ".join(read_checkpoint(tmp_path).notes)
    assert "7 tensors" in notes
    assert "model.extra.0" in notes


def test_case_20_what_does_not_fit_is_told_before_loading_and_refused_without_harm(tmp_path: Path) -> None:
    small, large = tmp_path / "small", tmp_path / "large"
    small.mkdir()
    large.mkdir()
    write_sample(large, num_hidden_layers=4)
    events = talk(
        OpenCheckpoint(request=1, path=str(write_sample(small)), device="cpu"),
        Describe(request=2, path=str(large), budget_bytes=1000),
        OpenCheckpoint(request=3, path=str(large), device="cpu", dtype="bfloat16", budget_bytes=1000),
        Generate(request=4, token_ids=[2, 3], max_new_tokens=2),
    )
    assert not answer(events, Described, 2).summary.fits
    refusal = answer(events, Failed, 3).message
    assert "raise the budget" in refusal
    assert is_one_sentence(refusal)
    assert answer(events, Finished, 4).reason in ("length", "eos")


@pytest.mark.parametrize("key", ["auto_map", "_attn_implementation_internal"])
def test_case_24_code_that_a_config_names_is_ignored_with_a_note(key: str, tmp_path: Path) -> None:
    """Nothing is fetched either: every test runs with sockets that refuse to connect."""
    write_sample(tmp_path)
    write_config(tmp_path, **{key: {"AutoConfig": "evil--repository.Config"}})
    (tmp_path / "modeling_evil.py").write_text("raise SystemExit('code from the folder was run')")
    notes = read_checkpoint(tmp_path).notes
    assert any(key in note and "no code from a checkpoint is run" in note for note in notes)


def test_case_14_other_files_in_the_folder_may_be_anything(tmp_path: Path) -> None:
    write_sample(tmp_path)
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "README.md", "x.safetensors"):
        os.mkfifo(tmp_path / name)
    checkpoint = read_checkpoint(tmp_path)
    assert not checkpoint.has_tokenizer
