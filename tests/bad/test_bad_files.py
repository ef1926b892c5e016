"""Every damaged checkpoint is refused at once, in one sentence, without reading what it claims to hold."""

import time
import tracemalloc
from pathlib import Path

import pytest

from model.checkpoint.folder import read_checkpoint
from model.problems import Problem
from tests.bad.config import BAD_CONFIGS
from tests.bad.formats import BAD_FORMATS, fp8, int4
from tests.bad.make import is_one_sentence
from tests.bad.weights import BAD_WEIGHTS
from tests.model.checkpoint.sample import write_sample, write_sharded

BAD = BAD_WEIGHTS | BAD_CONFIGS | BAD_FORMATS
SECONDS = 5.0  # of the processor, so that other work on the machine does not count; what waits for ever hangs
MEMORY = 240 * 2**20  # what 300,001 names and their checks take; no header's word is ever allocated


@pytest.mark.parametrize("name", BAD)
def test_a_bad_checkpoint_is_refused_with_its_cause(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "checkpoint"
    folder.mkdir()
    BAD[name].make(folder)
    start = time.thread_time()
    with pytest.raises(Problem) as refusal:
        read_checkpoint(folder)
    assert time.thread_time() - start < SECONDS
    assert BAD[name].phrase in str(refusal.value)
    assert is_one_sentence(str(refusal.value))


@pytest.mark.parametrize("name", [name for name in BAD if name[5:7] in ("02", "06", "07", "08", "14")])
def test_memory_stays_bounded_whatever_a_header_claims(name: str, tmp_path: Path) -> None:
    BAD[name].make(tmp_path)
    tracemalloc.start()
    try:
        with pytest.raises(Problem):
            read_checkpoint(tmp_path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < MEMORY


def test_the_samples_are_sound_before_they_are_damaged(tmp_path: Path) -> None:
    for number, make in enumerate((write_sample, write_sharded, fp8(), int4())):
        folder = tmp_path / str(number)
        folder.mkdir()
        make(folder)
        assert read_checkpoint(folder).config.layers == 2
