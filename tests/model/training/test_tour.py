"""Measuring a tour: stops are chosen by what the weights do, and what has not formed is left out."""

from pathlib import Path

import numpy as np
import pytest
import torch

from app.bundled import BUNDLED
from model.tour import Tour, read_tour, write_tour
from model.training import corpus, tour
from model.training.held_out_texts import write
from model.training.inside import Reader, look_inside, open_reader


@pytest.fixture(scope="module")
def reader() -> Reader:
    torch.set_num_threads(1)
    return open_reader(BUNDLED)


def test_attention_is_whole_and_bits_are_those_of_the_logits(reader: Reader):
    ids = reader.ids("The king said to the queen")
    inside = look_inside(reader.decoder, ids)
    config = reader.decoder.config
    assert inside.attention_LHTT.shape == (config.layers, config.heads, len(ids), len(ids))
    np.testing.assert_allclose(inside.attention_LHTT.sum(axis=3), 1.0, atol=1e-5)
    assert np.triu(inside.attention_LHTT, 1).max() == 0.0
    assert inside.experts_MTA.shape == (len(config.moe_layers), len(ids), config.router.experts_per_token)
    with torch.inference_mode():
        logits_TV = reader.decoder.step(torch.tensor(ids), reader.decoder.new_cache(), logits="all")
    expected = -logits_TV.log_softmax(1)[range(len(ids) - 1), ids[1:]].double().numpy() / np.log(2)
    np.testing.assert_allclose(inside.bits_T[1:], expected, rtol=1e-4)
    assert np.isnan(inside.bits_T[0])


def test_heads_without_a_clear_share_have_no_stop(reader: Reader, monkeypatch: pytest.MonkeyPatch):
    flat = np.zeros((reader.decoder.config.layers, reader.decoder.config.heads))
    stop = tour._plain(reader, "previous", "The king said", flat, tour.tour_scores.previous)
    assert (stop.layer, stop.head) == (0, 0)  # no head is better than another
    monkeypatch.setattr(tour, "_over_texts", lambda *_: (flat, flat))
    for name in ("_induction", "_recall", "_brackets"):
        monkeypatch.setattr(tour, name, lambda _reader: stop)
    monkeypatch.setattr(tour, "_experts", lambda *_: [])
    monkeypatch.setattr(tour, "_devices", lambda *_: tour._memory(reader))
    monkeypatch.setattr(tour, "LEAST", dict.fromkeys(tour.LEAST, 1.1))
    kinds = [found.kind for found in tour.choose(reader, [], None)]  # type: ignore[arg-type]
    assert kinds == ["memory", "memory"]


def test_a_tour_comes_back_from_its_file(tmp_path: Path, reader: Reader):
    made = Tour(checkpoint="tiny", weights="00", stops=[tour._memory(reader)])
    write_tour(made, tmp_path / "tour.json")
    assert read_tour(tmp_path / "tour.json") == made


def test_held_out_texts_are_the_ends_of_the_corpus(tmp_path: Path, corpus_folder: Path, monkeypatch):
    monkeypatch.setattr(corpus, "standard_library_text", lambda: "import os\n" * 100)
    files = write(corpus_folder, tmp_path / "held-out")
    assert [file.stem for file in files] == ["english", "中文", "python"]
    text = files[0].read_text(encoding="utf-8")
    assert "<|endoftext|>" not in text
    whole = (corpus_folder / "english.txt").read_text(encoding="utf-8")
    assert whole.replace("\n<|endoftext|>\n", "\n\n\n").endswith(text)
