"""Tokenizers: control tokens, BOS, bytes, broken Unicode, and files that break the library."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tokenizers
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import decoders, models, pre_tokenizers, processors, trainers

from model.checkpoint.pieces import shown_bytes
from model.checkpoint.tokenizer import PROMPT_LIMIT, Tokenizer
from model.checkpoint.tokenizer_files import read_tokenizer
from model.problems import Problem

BOS, EOS = "<｜begin▁of▁sentence｜>", "<|endoftext|>"


def write_byte_level(folder: Path, *, template: bool = False, config: dict[str, object] | None = None) -> Path:
    """A byte-level BPE as DeepSeek's: 256 bytes, some merges, two control tokens with ids 0 and 1."""
    library = tokenizers.Tokenizer(models.BPE())
    library.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    library.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=[BOS, EOS],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    library.train_from_iterator(["hello world, hello world"] * 9, trainer)
    if template:
        library.post_processor = processors.TemplateProcessing(single=f"{BOS} $A", special_tokens=[(BOS, 0)])
    library.save(str(folder / "tokenizer.json"))
    if config is not None:
        (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return folder


def byte_level(folder: Path, **settings: Any) -> Tokenizer:
    tokenizer = read_tokenizer(write_byte_level(folder, **settings))
    assert tokenizer is not None
    return tokenizer


def change(folder: Path, alter: Callable[[dict[str, Any]], object]) -> Path:
    path = write_byte_level(folder) / "tokenizer.json"
    described = json.loads(path.read_text())
    alter(described)
    path.write_text(json.dumps(described))
    return folder


def test_a_folder_without_one_has_none(tmp_path: Path) -> None:
    assert read_tokenizer(tmp_path) is None


def test_text_comes_back(tmp_path: Path) -> None:
    tokenizer = byte_level(tmp_path)
    for text in ("hello world", "  two  spaces\n", "你好，Привет 👋🏽", "a\0b\u202ec", "e" + "\u0301" * 100, ""):
        assert tokenizer.decode(tokenizer.encode(text)) == text


@pytest.mark.parametrize("control", [BOS, EOS])
def test_typed_control_tokens_stay_text_unless_asked(tmp_path: Path, control: str) -> None:
    tokenizer = byte_level(tmp_path)
    token = 0 if control == BOS else 1
    assert token not in tokenizer.encode(f"a{control}b")
    assert tokenizer.decode(tokenizer.encode(f"a{control}b")) == f"a{control}b"
    assert token in tokenizer.encode(f"a{control}b", parse_control=True)
    assert token not in tokenizer.encode(f"a{control}b")  # the switch does not stick


def test_control_tokens_that_the_file_does_not_mark_stay_text_too(tmp_path: Path) -> None:
    change(tmp_path, added(id=299, content="<｜User｜>", special=False))
    tokenizer = read_tokenizer(tmp_path)
    assert tokenizer is not None
    (token,) = tokenizer.encode("<｜User｜>", parse_control=True)
    assert tokenizer.pieces([token]) == ["<｜User｜>"]
    assert token not in tokenizer.encode("a<｜User｜>b")
    assert tokenizer.decode(tokenizer.encode("a<｜User｜>b")) == "a<｜User｜>b"


@pytest.mark.parametrize("bos", [BOS, {"content": BOS, "special": True}])
@pytest.mark.parametrize("template", [True, False])
def test_a_bos_that_the_config_wants_is_there_once(tmp_path: Path, bos: object, template: bool) -> None:
    tokenizer = byte_level(tmp_path, template=template, config={"add_bos_token": True, "bos_token": bos})
    assert tokenizer.prefix == (0,)
    assert tokenizer.encode("hello").count(0) == 1
    assert tokenizer.encode("hello")[0] == 0
    assert tokenizer.encode(f"{BOS}hello", parse_control=True).count(0) == 1
    assert tokenizer.encode("") == [0]


def test_a_bos_that_the_config_does_not_want_is_not_there(tmp_path: Path) -> None:
    config = {"add_bos_token": False, "bos_token": BOS}
    assert byte_level(tmp_path, template=True, config=config).prefix == ()


def test_without_a_word_in_the_config_the_post_processor_decides(tmp_path: Path) -> None:
    assert byte_level(tmp_path, template=True).prefix == (0,)
    assert byte_level(tmp_path, template=False).prefix == ()


def test_half_characters_are_shown_as_bytes(tmp_path: Path) -> None:
    tokenizer = byte_level(tmp_path)
    assert tokenizer.pieces(tokenizer.encode("世!")) == ["‹E4›", "‹B8›", "‹96›", "!"]
    assert tokenizer.pieces([0, 1]) == [BOS, EOS]
    assert "".join(tokenizer.pieces(tokenizer.encode("hello world\n"))) == "hello world\n"


def test_unknown_ids_show_as_nothing(tmp_path: Path) -> None:
    tokenizer = byte_level(tmp_path)
    assert tokenizer.pieces([10**6, -1]) == ["", ""]
    assert tokenizer.decode([10**6, -1]) == ""


def test_lone_surrogates_become_replacement_characters(tmp_path: Path) -> None:
    tokenizer = byte_level(tmp_path)
    assert tokenizer.decode(tokenizer.encode("a\ud800b\udfffc")) == "a\ufffdb\ufffdc"
    assert tokenizer.decode(tokenizer.encode("\ud83d\udc4b")) == "👋"  # a pair is one character


def test_a_prompt_of_more_than_two_megabytes_is_refused(tmp_path: Path) -> None:
    tokenizer = byte_level(tmp_path)
    with pytest.raises(Problem, match="longer than 2,000,000 bytes"):
        tokenizer.encode("é" * (PROMPT_LIMIT // 2 + 1))


def test_sentencepiece_marks_and_byte_tokens_are_read(tmp_path: Path) -> None:
    vocabulary = {"<unk>": 0, "▁a": 1, "<0xE4>": 2, "<0x41>": 3}
    library = tokenizers.Tokenizer(models.BPE(vocabulary, [], unk_token="<unk>", byte_fallback=True))
    library.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    library.save(str(tmp_path / "tokenizer.json"))
    tokenizer = read_tokenizer(tmp_path)
    assert tokenizer is not None
    assert tokenizer.pieces([1, 2, 3]) == [" a", "‹E4›", "A"]


@given(st.binary(max_size=12))
def test_shown_bytes_lose_nothing(content: bytes) -> None:
    shown = shown_bytes(content)
    if "‹" not in content.decode("utf-8", "ignore"):
        back = b"".join(
            bytes.fromhex(part[:2]) + part[3:].encode() if number else part.encode()
            for number, part in enumerate(shown.split("‹"))
        )
        assert back == content


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50, deadline=None)
@given(st.text(st.characters(codec=None), max_size=30))
def test_any_text_can_be_encoded(tmp_path: Path, text: str) -> None:
    tokenizer = byte_level(tmp_path)
    ids = tokenizer.encode(text)
    assert len(tokenizer.pieces(ids)) == len(ids)
    assert tokenizer.decode(ids) == text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def test_ids_beyond_the_embedding_are_refused(tmp_path: Path) -> None:
    write_byte_level(tmp_path)
    largest = max(tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json")).get_vocab().values())
    assert read_tokenizer(tmp_path, vocab_size=largest + 1) is not None
    with pytest.raises(Problem, match=f"token id {largest}, but the embedding has {largest} rows"):
        read_tokenizer(tmp_path, vocab_size=largest)


def added(**fields: object) -> Callable[[dict[str, Any]], object]:
    return lambda described: described["added_tokens"].append(described["added_tokens"][0] | fields)


EXPLODING = {"type": "Split", "pattern": {"Regex": "(a+)+$"}, "behavior": "Isolated", "invert": False}
GROWING = {"type": "Replace", "pattern": {"String": "a"}, "content": "a" * 10**6}


@pytest.mark.parametrize(
    ("alter", "phrase"),
    [
        (lambda described: described.update(model={"type": "Nonsense"}), "The tokenizer failed on"),
        (lambda described: described.pop("model"), "The tokenizer failed on"),
        (lambda described: described["model"]["merges"].append(["zz", "yy"]), "The tokenizer failed on"),
        (lambda described: described["model"]["vocab"].update(x=-1), "The tokenizer failed on"),
        (lambda described: described.update(normalizer=GROWING), "inserts more than 64 characters"),
        (
            lambda described: described.update(normalizer={"type": "Sequence", "normalizers": [GROWING]}),
            "inserts more than 64 characters",
        ),
        (lambda described: described["model"]["vocab"].update(far=2**31), "token id 2,147,483,648"),
    ],
)
def test_a_damaged_tokenizer_is_refused(tmp_path: Path, alter: Callable[[dict[str, Any]], object], phrase: str) -> None:
    change(tmp_path, alter)
    with pytest.raises(Problem, match=phrase):
        read_tokenizer(tmp_path, vocab_size=300)


@pytest.mark.parametrize("text", ["{nonsense", "[]", '{"version":"1.0","version":"1.0"}', ""])
def test_a_tokenizer_file_that_is_no_json_object_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "tokenizer.json").write_text(text)
    with pytest.raises(Problem, match="JSON"):
        read_tokenizer(tmp_path)


def test_a_pattern_that_makes_the_library_panic_is_a_problem_and_not_the_end(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    tokenizer = read_tokenizer(change(tmp_path, lambda described: described.update(pre_tokenizer=EXPLODING)))
    assert tokenizer is not None
    with pytest.raises(Problem, match="The tokenizer failed on this prompt"):
        tokenizer.encode("a" * 40 + "b")
    assert tokenizer.encode("b")


def test_an_added_token_without_text_does_no_harm(tmp_path: Path) -> None:
    change(tmp_path, added(id=299, content=""))
    tokenizer = read_tokenizer(tmp_path, vocab_size=300)
    assert tokenizer is not None
    assert tokenizer.decode(tokenizer.encode("hello")) == "hello"
