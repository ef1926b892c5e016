from pathlib import Path

import numpy as np
import pytest

from app.commands.long_run import stretch
from model.problems import Problem
from model.recording.projections import Projections
from model.recording.recorder import Recorder
from model.recording.recording import Recording
from tests.model.recording.runs import feed, random_decoder, run_info, tiny_config


def recorded(folder: Path, *sizes: int) -> Path:
    config = tiny_config()
    decoder = random_decoder(config)
    recorder = Recorder.create(folder, run_info(config), projections=Projections.of(decoder))
    feed(recorder, decoder, sizes)
    recorder.finish("length", "")
    return folder


def test_a_stretched_run_is_the_short_one_over_and_over_and_says_synthetic(tmp_path: Path) -> None:
    source, target = recorded(tmp_path / "short", 256, 100), tmp_path / "long"
    stretch(source, target, tokens=3 * 256 + 9)
    short, long = Recording.open(source), Recording.open(target)
    assert long.tokens == 3 * 256
    assert long.info.title.startswith("synthetic: ")
    assert long.texts() == 3 * short.texts(0, 256)
    for layer in range(long.info.config.layers):
        kept = short.heavy("c_kv", layer_row=layer, end=256)
        assert np.array_equal(long.heavy("c_kv", layer_row=layer), np.concatenate([kept] * 3))


def test_a_run_of_less_than_a_chunk_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Problem, match="fewer than 256 tokens; record a longer run"):
        stretch(recorded(tmp_path / "short", 100), tmp_path / "long", tokens=512)
