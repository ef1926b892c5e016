"""Profiling experts: the counts are those of the runs themselves, told with progress, and can be stopped."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from model.expert_profile import read_profile
from model.messages import (
    Event,
    Failed,
    Generate,
    Grown,
    OpenCheckpoint,
    Profiled,
    ProfileExperts,
    Profiling,
    Stop,
)
from tests.model.engine.talk import Script, answer, answers, talk
from tests.parity.tiny import make_checkpoint

WORDS = ["the", "fox", "and", "owl", "le", "renard", "et", "hibou"]


@pytest.fixture(scope="module")
def worded(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A tiny checkpoint with a tokenizer of eight words."""
    folder = tmp_path_factory.mktemp("worded")
    make_checkpoint(folder, "v2", eos_token_id=None)
    tokenizer = Tokenizer(models.WordLevel({word: index for index, word in enumerate([*WORDS, "?"])}, unk_token="?"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    return str(folder)


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    folder = tmp_path / "texts"
    folder.mkdir()
    dice = np.random.default_rng(3)
    (folder / "english.txt").write_text(" ".join(dice.choice(WORDS[:4], 700)), encoding="utf-8")
    (folder / "french.txt").write_text(" ".join(dice.choice(WORDS[4:], 90)), encoding="utf-8")
    (folder / "picture.png").write_bytes(b"\x89PNG")
    return folder


def test_the_counts_are_those_of_runs_on_the_same_text(worded: str, texts: Path, tmp_path: Path):
    out = tmp_path / "experts.json"
    wanted = ProfileExperts(request=2, texts=str(texts), tokens=40, title="words", file=str(out))
    prompts = {name: " ".join((texts / f"{name}.txt").read_text().split()[:40]) for name in ("english", "french")}
    runs = [Generate(request=3 + at, prompt=prompt, max_new_tokens=0) for at, prompt in enumerate(prompts.values())]
    events = talk(OpenCheckpoint(request=1, path=worded, dtype="float32"), wanted, *runs)
    profile = answer(events, Profiled, 2).profile
    assert (profile.domains, profile.domain_tokens, profile.texts) == (["english", "french"], [40, 40], "words")
    assert read_profile(out) == profile
    for place in range(2):
        batches = [event.tokens for event in answers(events, Grown, 3 + place)]
        chosen = np.concatenate([batch.expert_ids.numpy() for batch in batches])  # [T, M, A]
        for row, layer in enumerate(profile.layers):
            expected = Counter(chosen[:, row].ravel().tolist())
            told = [expert.domains[place] for expert in layer.experts]
            assert told == [expected[expert] for expert in range(len(layer.experts))]
    for layer in profile.layers:
        for expert in layer.experts:
            for token in expert.typical:
                assert token.lift > 1
                assert token.lift == pytest.approx(token.count / token.of * 80 / expert.tokens, abs=1e-3)


def test_progress_is_told_and_a_short_text_is_read_whole(worded: str, texts: Path):
    wanted = ProfileExperts(request=2, texts=str(texts), tokens=600)
    events = talk(OpenCheckpoint(request=1, path=worded), wanted)
    told = [(event.done, event.total) for event in answers(events, Profiling, 2)]
    assert told[0] == (0, 690)
    assert told[-1] == (690, 690)
    assert len(told) > 3
    profile = answer(events, Profiled, 2).profile
    assert profile.domain_tokens == [600, 90]
    assert profile.texts == "texts"


def test_it_can_be_stopped_and_the_model_stays_open(worded: str, texts: Path):
    def stop(event: Event, script: Script) -> None:
        if isinstance(event, Profiling) and event.done == 0:
            script.commands.append(Stop(request=9, target=2))
            script.commands.append(Generate(request=4, token_ids=[1, 2], max_new_tokens=1))

    wanted = ProfileExperts(request=2, texts=str(texts), tokens=600)
    events = talk(OpenCheckpoint(request=1, path=worded), wanted, react=stop)
    assert "Stopped" in answer(events, Failed, 2).message
    assert not answers(events, Profiled, 2)
    assert answers(events, Grown, 4)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"texts": "/nowhere"}, "choose a folder"),
        ({"tokens": 0}, "0 tokens"),
        ({"tokens": 2**40}, "too many"),
    ],
)
def test_what_cannot_be_profiled_is_said(worded: str, texts: Path, change: dict, word: str):
    wanted = ProfileExperts(request=2, **({"texts": str(texts)} | change))
    events = talk(OpenCheckpoint(request=1, path=worded), wanted)
    assert word in answer(events, Failed, 2).message


def test_folders_without_usable_text_are_refused(worded: str, texts: Path):
    empty = texts / "empty"
    empty.mkdir()
    (empty / "blank.txt").write_text(" \n", encoding="utf-8")
    many = texts / "many"
    many.mkdir()
    for number in range(65):
        (many / f"{number}.txt").write_text("the", encoding="utf-8")
    (texts / "broken.txt").write_bytes(b"the \xff\xfe fox" * 99)
    folders = [empty, many, texts]
    commands = [ProfileExperts(request=2 + at, texts=str(folder)) for at, folder in enumerate(folders)]
    events = talk(OpenCheckpoint(request=1, path=worded), *commands)
    said = [answer(events, Failed, 2 + at).message for at in range(3)]
    assert "holds no text" in said[0]
    assert "at most 64" in said[1]
    assert "not UTF-8" in said[2]


def test_a_model_without_tokenizer_or_experts_is_refused(tiny: str, texts: Path, tmp_path: Path):
    dense = tmp_path / "dense"
    make_checkpoint(dense, "v2", first_k_dense_replace=99)
    for path, word in ((tiny, "no tokenizer"), (str(dense), "dense")):
        events = talk(OpenCheckpoint(request=1, path=path), ProfileExperts(request=2, texts=str(texts)))
        assert word in answer(events, Failed, 2).message


def test_texts_cut_inside_a_character_are_read_up_to_it(worded: str, tmp_path: Path):
    folder = tmp_path / "han"
    folder.mkdir()
    (folder / "han.txt").write_text("fox " * 3 + "天" * 60, encoding="utf-8")
    wanted = ProfileExperts(request=2, texts=str(folder), tokens=2)
    events = talk(OpenCheckpoint(request=1, path=worded), wanted)
    assert answer(events, Profiled, 2).profile.domain_tokens == [2]
    assert json.dumps(answer(events, Profiled, 2).profile.domains) == '["han"]'
