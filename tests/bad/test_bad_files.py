"""Every damaged checkpoint is refused at once, in one sentence, without reading what it claims to hold."""

import time
from pathlib import Path

import pytest

from model.checkpoint.folder import read_checkpoint
from model.problems import Problem
from tests.bad.files import BAD
from tests.model.checkpoint.sample import write_sample, write_sharded


@pytest.mark.parametrize("name", BAD)
def test_a_bad_checkpoint_is_refused_with_its_cause(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "checkpoint"
    folder.mkdir()
    BAD[name].make(folder)
    start = time.monotonic()
    with pytest.raises(Problem) as refusal:
        read_checkpoint(folder)
    text = str(refusal.value)
    assert BAD[name].phrase in text
    assert text.endswith(".")
    assert text.isprintable()
    assert len(text) < 1000
    assert time.monotonic() - start < 2.0


def test_the_samples_are_sound_before_they_are_damaged(tmp_path: Path) -> None:
    for make in (write_sample, write_sharded):
        folder = tmp_path / make.__name__
        folder.mkdir()
        assert read_checkpoint(make(folder)).config.layers == 2
