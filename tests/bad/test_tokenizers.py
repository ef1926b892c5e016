"""Cases 26 to 28 and 30: a tokenizer that fails costs text prompts and nothing else; two templates are told of."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tokenizers
from tokenizers import models, pre_tokenizers

from model.checkpoint.chat import read_template, template_notes
from model.checkpoint.folder import read_checkpoint
from model.checkpoint.trial import open_tokenizer
from model.engine import threads
from model.messages import Failed, Finished, Generate, OpenCheckpoint, Opened
from model.problems import Problem
from tests.bad.make import is_one_sentence
from tests.model.checkpoint.sample import write_sample
from tests.model.engine.talk import answer, talk

Alter = Callable[[dict[str, Any]], object]
SPLIT = {"type": "Split", "pattern": {"Regex": "(a+)+$"}, "behavior": "Isolated", "invert": False}


def replace(pattern: dict[str, str], content: str) -> dict[str, Any]:
    return {"type": "Replace", "pattern": pattern, "content": content}


def growing(times: int) -> dict[str, Any]:
    """A normaliser that makes 60 of every letter a, so many times over."""
    return {"type": "Sequence", "normalizers": [replace({"String": "a"}, "a" * 60)] * times}


def write(folder: Path, alter: Alter = lambda _: None) -> Path:
    """A tokenizer of 62 letters for the sample checkpoint's 64 rows, altered."""
    letters = "".join(map(chr, range(ord("a"), ord("z") + 1))) + "ABCDEFGHIJKLMNOP0123456789 .,;:!?()'"
    rows = ["<s>", "</s>", *letters]
    library = tokenizers.Tokenizer(models.BPE({token: row for row, token in enumerate(rows)}, []))
    library.add_special_tokens(["<s>", "</s>"])
    library.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    described = json.loads(library.to_str())
    alter(described)
    (folder / "tokenizer.json").write_text(json.dumps(described))
    return folder


def added(**fields: object) -> Alter:
    return lambda described: described["added_tokens"].append(described["added_tokens"][0] | fields)


FAILING: dict[str, Alter] = {
    "case 26: no model": lambda described: described.pop("model"),
    "case 26: a model of no kind": lambda described: described.update(model={"type": "Nonsense"}),
    "case 26: a merge of unknown tokens": lambda described: described["model"]["merges"].append(["zz", "yy"]),
    "case 26: a merge that is no pair": lambda described: described["model"]["merges"].append("a"),
    "case 26: a negative id": lambda described: described["model"]["vocab"].update(x=-1),
    "case 26: a pattern that looks for ever": lambda described: described.update(pre_tokenizer=SPLIT),
    "case 26: a bad pattern": lambda described: described.update(pre_tokenizer=SPLIT | {"pattern": {"Regex": "(" * 9}}),
    "case 26: a normaliser of nothing": lambda described: described.update(normalizer=replace({"String": ""}, "x")),
    "case 26: a normaliser that writes a megabyte": lambda described: described.update(
        normalizer=replace({"String": "a"}, "a" * 10**6)
    ),
    "case 26: growth by 60 to the ninth": lambda described: described.update(normalizer=growing(9)),
    "case 26: nested 65 levels": lambda described: described.update(x=json.loads("[" * 65 + "]" * 65)),
}


@pytest.mark.parametrize("name", FAILING)
def test_a_tokenizer_that_fails_leaves_token_ids_and_a_note(name: str, tmp_path: Path) -> None:
    write(tmp_path, FAILING[name])
    tokenizer, notes = open_tokenizer(tmp_path, vocab_size=64, seconds=1.0)
    if tokenizer is None:
        assert notes[0].endswith("Until then prompts are token ids.")
        assert notes[0].isprintable()
        assert len(notes[0]) < 1000
        return
    try:  # what fails on some prompts only, is told at those
        ids = tokenizer.encode("a" * 40 + "b")
    except Problem as problem:
        sentence = str(problem)
    else:
        assert all(0 <= token < 64 for token in ids)
        return
    assert "The tokenizer failed on this prompt" in sentence


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"a":1,"a":2}', b"\xff\xfe", b"<html>404</html>", b'"\\ud800"']
)
def test_case_26_a_file_that_is_no_json_object_leaves_token_ids_and_a_note(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_bytes(content)
    tokenizer, notes = open_tokenizer(tmp_path, vocab_size=64)
    assert tokenizer is None
    assert "JSON" in notes[0]


@pytest.mark.parametrize("where", ["vocabulary", "added tokens"])
def test_case_27_an_id_beyond_the_embedding_is_refused_with_both_numbers(where: str, tmp_path: Path) -> None:
    def alter(described: dict[str, Any]) -> None:
        if where == "vocabulary":
            described["model"]["vocab"]["é"] = 64
        else:
            added(id=64, content="<x>")(described)

    write(tmp_path, alter)
    with pytest.raises(Problem, match="token id 64, but the embedding has 64 rows") as refusal:
        open_tokenizer(tmp_path, vocab_size=64)
    assert is_one_sentence(str(refusal.value))


@pytest.mark.parametrize(
    "alter",
    [lambda described: described["model"]["vocab"].update(é=5), added(id=63, content="")],
    ids=["twice", "empty"],
)
def test_case_27_two_tokens_of_one_id_and_an_empty_token_do_no_harm(alter: Alter, tmp_path: Path) -> None:
    tokenizer, _ = open_tokenizer(write(tmp_path, alter), vocab_size=64)
    assert tokenizer is not None
    ids = tokenizer.encode("ab ab")
    assert all(0 <= token < 64 for token in ids)
    assert len(tokenizer.pieces(list(range(64)))) == 64


@pytest.mark.parametrize("broken", [False, True])
def test_case_26_and_28_without_a_tokenizer_the_model_opens_and_runs_on_token_ids(
    broken: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threads, "ALL", 1)
    write_sample(tmp_path)
    if broken:
        write(tmp_path, FAILING["case 26: no model"])
    events = talk(
        OpenCheckpoint(request=1, path=str(tmp_path), device="cpu"),
        Generate(request=2, prompt="hello"),
        Generate(request=3, token_ids=[2, 3], max_new_tokens=2),
    )
    summary = answer(events, Opened, 1).summary
    assert not summary.has_tokenizer
    assert any("prompts are token ids" in note for note in summary.notes)
    assert "give token ids instead of text" in answer(events, Failed, 2).message
    assert answer(events, Finished, 3).reason in ("length", "eos")


def test_case_30_of_two_templates_the_documented_one_is_used_and_told(tmp_path: Path) -> None:
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"chat_template": "one"}))
    (tmp_path / "chat_template.jinja").write_text("two")
    template = read_template(tmp_path)
    assert template is not None
    assert (template.text, template.source) == ("two", "chat_template.jinja")
    assert template_notes(tmp_path)[1] == [
        "chat_template.jinja and tokenizer_config.json hold different chat templates; chat_template.jinja is used."
    ]
    (tmp_path / "chat_template.jinja").write_text("one\n")
    assert template_notes(tmp_path) == (True, [])


def test_case_30_a_template_that_is_too_long_is_left_out_with_a_note(tmp_path: Path) -> None:
    write_sample(tmp_path)
    (tmp_path / "chat_template.jinja").write_text("x" * (256 * 2**10 + 1))
    checkpoint = read_checkpoint(tmp_path)
    assert any("The chat template is left out" in note for note in checkpoint.notes)


@pytest.mark.parametrize("name", [{}, [], None, 7, "other"])
def test_case_30_named_templates_with_odd_names_are_passed_over(name: object, tmp_path: Path) -> None:
    named = [{"name": name, "template": "one"}, {"name": "default", "template": "two"}, 7, {}]
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"chat_template": named}))
    template = read_template(tmp_path)
    assert template is not None
    assert template.text == "two"
