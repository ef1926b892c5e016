"""Cases 26 and 27: a tokenizer that fails costs itself only, and what is odd in a sound one is told."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from model.checkpoint import trial
from model.checkpoint.tokenizer_files import read_tokenizer
from model.checkpoint.trial import open_tokenizer
from model.problems import Problem
from tests.model.checkpoint.test_tokenizer import EXPLODING, added, change, write_byte_level


def grow(described: dict[str, Any]) -> None:
    """Three steps that each put 60 letters in place of one: 10,000 letters become 2 GB."""
    step = {"type": "Replace", "pattern": {"String": "a"}, "content": "a" * 60}
    described.update(normalizer={"type": "Sequence", "normalizers": [step] * 3})


def lose_everything(described: dict[str, Any]) -> None:
    described.update(normalizer={"type": "Replace", "pattern": {"String": ""}, "content": "x"})


BAD: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "case 26: no model": (lambda described: described.pop("model"), "The tokenizer failed on"),
    "case 26: a pattern that looks for ever": (
        lambda described: described.update(pre_tokenizer=EXPLODING),
        "The tokenizer failed on this prompt",
    ),
    "case 26: a normaliser that makes the library panic": (lose_everything, "The tokenizer failed on"),
    "case 26: merges out of the vocabulary": (
        lambda described: described["model"]["merges"].append(["zz", "yy"]),
        "The tokenizer failed on",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_failing_tokenizer_leaves_token_ids_and_a_clean_stderr(
    name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    alter, phrase = BAD[name]
    tokenizer, (note,) = open_tokenizer(change(tmp_path, alter), vocab_size=300)
    assert tokenizer is None
    assert phrase in note
    assert note.endswith("Until then prompts are token ids.")
    assert note.isprintable()
    assert capfd.readouterr().err == ""


def test_case_26_growth_ends_with_the_time_or_with_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    change(tmp_path, grow)
    assert "it took longer than 0.2 s" in open_tokenizer(tmp_path, vocab_size=300, seconds=0.2)[1][0]
    monkeypatch.setattr(trial, "TRIAL_BYTES", 50 * 10**6)  # a gigabyte takes more than ten seconds to fill
    assert "it needed more than 50 MB or crashed" in open_tokenizer(tmp_path, vocab_size=300)[1][0]


def test_one_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    tokenizer, (note,) = open_tokenizer(change(tmp_path, lambda _: None), vocab_size=300, seconds=0.001)
    assert tokenizer is None
    assert "failed (it took longer than 0.001 s)" in note


def test_a_sound_one_is_tried_once_and_again_when_it_has_changed(tmp_path: Path) -> None:
    write_byte_level(tmp_path)
    assert open_tokenizer(tmp_path, vocab_size=300)[0] is not None
    assert open_tokenizer(tmp_path, vocab_size=300, seconds=1e-6)[0] is not None
    os.utime(tmp_path / "tokenizer.json", ns=(0, 0))
    assert open_tokenizer(tmp_path, vocab_size=300, seconds=1e-6)[0] is None


def test_ids_beyond_the_embedding_are_no_matter_of_going_without(tmp_path: Path) -> None:
    with pytest.raises(Problem, match="but the embedding has 7 rows"):
        open_tokenizer(write_byte_level(tmp_path), vocab_size=7)


def test_a_folder_without_one_is_not_tried(tmp_path: Path) -> None:
    assert open_tokenizer(tmp_path, vocab_size=7, seconds=1e-6) == (None, [])


@pytest.mark.parametrize(
    ("alter", "phrase"),
    [
        (added(id=299, content=""), "an added token without text"),
        (added(id=0, content="<|other|>"), "1 ids stand for two tokens or more (0)"),
        (lambda described: described["model"]["vocab"].update(twin=5), "1 ids stand for two tokens or more (5)"),
    ],
)
def test_case_27_odd_tokens_are_told(alter: Callable[[dict[str, Any]], object], phrase: str, tmp_path: Path) -> None:
    tokenizer = read_tokenizer(change(tmp_path, alter), vocab_size=300)
    assert tokenizer is not None
    assert phrase in " ".join(tokenizer.notes)
    assert tokenizer.decode(tokenizer.encode("hello")) == "hello"


def test_a_sound_one_has_no_notes(tmp_path: Path) -> None:
    tokenizer = read_tokenizer(write_byte_level(tmp_path))
    assert tokenizer is not None
    assert tokenizer.notes == ()
