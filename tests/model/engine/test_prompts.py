"""Prompts in the engine: chats, tokenizers that fail, and token ids where there is no other way."""

import json
import shutil
from pathlib import Path

import pytest

from model.checkpoint.tokenizer_files import read_tokenizer
from model.messages import Describe, Described, Failed, Finished, Generate, Grown, OpenCheckpoint, Opened
from tests.model.checkpoint.test_tokenizer import BOS, EXPLODING, write_byte_level
from tests.model.engine.talk import answer, answers, talk

TEMPLATE = "{{ bos_token }}{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}<|endoftext|>"


@pytest.fixture
def folder(tiny: str, tmp_path: Path) -> Path:
    """The tiny checkpoint with a tokenizer of its own size and a chat template."""
    shutil.copytree(tiny, tmp_path / "it")
    write_byte_level(tmp_path / "it", config={"bos_token": BOS})
    path = tmp_path / "it" / "tokenizer.json"
    described = json.loads(path.read_text())
    described["model"]["merges"] = []
    described["model"]["vocab"] = {token: n for token, n in described["model"]["vocab"].items() if n < 257}
    path.write_text(json.dumps(described))
    (tmp_path / "it" / "chat_template.jinja").write_text(TEMPLATE)
    return tmp_path / "it"


def test_a_chat_is_fed_as_the_template_writes_it(folder: Path) -> None:
    events = talk(
        OpenCheckpoint(request=1, path=str(folder)),
        Generate(request=2, prompt="hi<|endoftext|>", system="so", chat=True, max_new_tokens=0),
        Generate(request=3, prompt="hi<|endoftext|>", chat=True, max_new_tokens=0, parse_control_tokens=True),
    )
    tokenizer = read_tokenizer(folder)
    assert tokenizer is not None
    assert answer(events, Opened, 1).summary.has_chat_template
    assert answer(events, Finished, 2).reason == "length"
    fed = [int(token) for grown in answers(events, Grown, 2) for token in grown.tokens.ids.numpy()]
    assert fed == [0, *tokenizer.encode("[system]so[user]hi<|endoftext|>"), 1]
    fed = [int(token) for grown in answers(events, Grown, 3) for token in grown.tokens.ids.numpy()]
    assert fed == [0, *tokenizer.encode("[user]hi"), 1, 1]


def test_a_chat_without_a_template_is_refused_and_the_raw_prompt_runs(folder: Path) -> None:
    (folder / "chat_template.jinja").unlink()
    events = talk(
        OpenCheckpoint(request=1, path=str(folder)),
        Generate(request=2, prompt="hi", chat=True),
        Generate(request=3, prompt="hi", max_new_tokens=1),
    )
    assert not answer(events, Opened, 1).summary.has_chat_template
    assert "no chat template" in answer(events, Failed, 2).message
    assert answer(events, Finished, 3).reason == "length"


def test_a_failing_template_is_refused_and_the_raw_prompt_runs(folder: Path) -> None:
    (folder / "chat_template.jinja").write_text("{{ raise_exception('no') }}")
    events = talk(
        OpenCheckpoint(request=1, path=str(folder)),
        Generate(request=2, prompt="hi", chat=True),
        Generate(request=3, prompt="hi", max_new_tokens=1),
    )
    assert answer(events, Failed, 2).message == (
        "The chat template of chat_template.jinja failed (no); use a raw prompt."
    )
    assert answer(events, Finished, 3).reason == "length"


def test_a_model_with_a_failing_tokenizer_opens_for_token_ids(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = folder / "tokenizer.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"pre_tokenizer": EXPLODING}))
    events = talk(
        Describe(request=1, path=str(folder)),
        OpenCheckpoint(request=2, path=str(folder)),
        Generate(request=3, prompt="hi"),
        Generate(request=4, token_ids=[1, 2, 3], max_new_tokens=1),
    )
    assert answer(events, Described, 1).summary.has_tokenizer  # described from files, not tried
    opened = answer(events, Opened, 2).summary
    assert not opened.has_tokenizer
    assert not opened.has_chat_template
    assert any(note.endswith("Until then prompts are token ids.") for note in opened.notes)
    assert "give token ids" in answer(events, Failed, 3).message
    assert answer(events, Finished, 4).reason == "length"
    assert capfd.readouterr().err == ""
