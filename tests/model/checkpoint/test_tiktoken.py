"""tiktoken.model: Kimi's way of cutting text, its control tokens, and files that make no sense."""

import json
from pathlib import Path
from typing import Any

import pytest
import tiktoken

from model.checkpoint.folder import read_checkpoint
from model.checkpoint.pieces import byte_level_bytes
from model.checkpoint.tiktoken_model import KIMI_PATTERN
from model.checkpoint.tokenizer import Tokenizer
from model.checkpoint.tokenizer_files import read_tokenizer
from model.problems import Problem
from tests.model.checkpoint.sample import write_sample
from tests.model.checkpoint.vocabularies import TEXTS, described, train, write_gguf, write_ranks

# The eight alternatives as published, written out once more.
PUBLISHED = (
    r"""[\p{Han}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+"""
    r"""(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+"""
    r"""[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"""
    r"""|\s*[\r\n]+|\s+(?!\S)|\s+"""
)
CONTROLS = {"[BOS]": 0, "[EOS]": 1, "<|im_end|>": 2, "<|im_user|>": 3}


@pytest.fixture(scope="module")
def trained() -> tuple[list[str], list[list[str]]]:
    return described(train([PUBLISHED]))


def write_kimi(folder: Path, tokens: list[bytes], **settings: Any) -> Path:
    write_ranks(folder / "tiktoken.model", tokens)
    added = {str(len(tokens) + number): {"content": text, "special": True} for text, number in CONTROLS.items()}
    config = {"bos_token": "[BOS]", "eos_token": "[EOS]", "added_tokens_decoder": added} | settings
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return folder


def bytes_of(tokens: list[str]) -> list[bytes]:
    return [byte_level_bytes(token) for token in tokens]


def kimi(folder: Path, tokens: list[str], **settings: Any) -> Tokenizer:
    tokenizer = read_tokenizer(write_kimi(folder, bytes_of(tokens), **settings))
    assert tokenizer is not None
    return tokenizer


def test_the_pattern_is_the_published_one() -> None:
    assert KIMI_PATTERN == PUBLISHED


def test_ids_are_those_of_the_library(tmp_path: Path, trained: tuple[list[str], list[list[str]]]) -> None:
    tokens, _ = trained
    ranks = {token: rank for rank, token in enumerate(bytes_of(tokens))}
    theirs = tiktoken.Encoding("theirs", pat_str=PUBLISHED, mergeable_ranks=ranks, special_tokens={})
    ours = kimi(tmp_path, tokens)
    for text in TEXTS:
        assert ours.encode(text) == theirs.encode(text)
        assert ours.decode(ours.encode(text)) == text


def test_the_same_vocabulary_in_gguf_has_the_same_ids(
    tmp_path: Path, trained: tuple[list[str], list[list[str]]]
) -> None:
    """Two libraries with two engines for patterns, tiktoken and tokenizers, read one pattern alike."""
    tokens, merges = trained
    ours = kimi(tmp_path, tokens)
    lines = [" ".join(pair) for pair in merges]
    other = read_tokenizer(write_gguf(tmp_path / "x.gguf", tokens, lines, pre="kimi-k2"))
    assert other is not None
    for text in TEXTS:
        assert ours.encode(text) == other.encode(text), text


def test_control_tokens_are_named_by_the_settings_and_typed_ones_stay_text(
    tmp_path: Path, trained: tuple[list[str], list[list[str]]]
) -> None:
    tokens, _ = trained
    tokenizer, first = kimi(tmp_path, tokens), len(tokens)
    assert len(tokenizer.controls) == 256
    assert tokenizer.controls["<|im_end|>"] == first + 2
    assert tokenizer.controls[f"<|reserved_token_{first + 255}|>"] == first + 255
    ids = tokenizer.encode("<|im_user|>hello<|im_end|>", parse_control=True)
    assert (ids[0], ids[-1]) == (first + 3, first + 2)
    assert max(tokenizer.encode("<|im_user|>hello<|im_end|>")) < first
    assert tokenizer.decode(ids) == "hello"
    assert tokenizer.pieces([ids[0], tokens.index("a"), 10**6, -1]) == ["<|im_user|>", "a", "", ""]
    assert tokenizer.pieces(tokenizer.encode("ß𐍈"))[-4:] == ["‹F0›", "‹90›", "‹8D›", "‹88›"]


def test_no_bos_is_added_unless_the_settings_ask_for_it(
    tmp_path: Path, trained: tuple[list[str], list[list[str]]]
) -> None:
    tokens, _ = trained
    assert kimi(tmp_path, tokens).prefix == ()
    assert kimi(tmp_path, tokens, add_bos_token=True).prefix == (len(tokens),)


def test_ids_beyond_the_embedding_are_refused(tmp_path: Path, trained: tuple[list[str], list[list[str]]]) -> None:
    tokens, _ = trained
    write_kimi(tmp_path, bytes_of(tokens))
    assert read_tokenizer(tmp_path, vocab_size=len(tokens) + 256) is not None
    with pytest.raises(Problem, match="but the embedding has"):
        read_tokenizer(tmp_path, vocab_size=len(tokens) + 255)


def test_a_checkpoint_with_one_has_a_tokenizer(tmp_path: Path) -> None:
    write_ranks(write_sample(tmp_path) / "tiktoken.model", [bytes([value]) for value in range(256)])
    checkpoint = read_checkpoint(tmp_path)
    assert checkpoint.has_tokenizer
    assert not checkpoint.has_chat_template
    assert not any("token ids" in note for note in checkpoint.notes)


BYTES = [bytes([value]) for value in range(256)]


@pytest.mark.parametrize(
    ("content", "phrase"),
    [
        (b"", "lacks 256 of the 256 single bytes"),
        (b"AA== 0\n", "lacks 255 of the 256"),
        (b"AA== 1\n", "a rank out of order on line 1"),
        (b"AA== 0\nAA== 1\n", "a token twice or a rank out of order on line 2"),
        (b"AA== -1\n", "no token and rank on line 1"),
        (b"AA== 1e3\n", "no token and rank on line 1"),
        (b"AA== 99999999999999999999\n", "no token and rank on line 1"),
        (b"AA==\n", "no token and rank on line 1"),
        (b"AA== 0 0\n", "no token and rank on line 1"),
        (b"A!A= 0\n", "no token and rank on line 1"),
        ("é 0\n".encode(), "no token and rank on line 1"),
        (b"= 0\n", "no token and rank on line 1"),
        (b"QUFB" * 200 + b" 0\n", "no token and rank on line 1"),
        (b"\n" * 2_000_002, "more than 2,000,000 lines"),
    ],
)
def test_a_damaged_file_is_refused(content: bytes, phrase: str, tmp_path: Path) -> None:
    (tmp_path / "tiktoken.model").write_bytes(content)
    with pytest.raises(Problem, match=phrase):
        read_tokenizer(tmp_path)


@pytest.mark.parametrize(
    ("added", "phrase"),
    [
        ({"x": {"content": "a"}}, "names a control token 'x' wrongly"),
        ({"300": {"content": ""}}, "names a control token '300' wrongly"),
        ({"300": {"text": "a"}}, "names a control token '300' wrongly"),
        ({"9" * 30: {"content": "a"}}, "wrongly in its settings"),
        ({"7": {"content": "a"}}, "gives id 7 to a control token and to a rank"),
    ],
)
def test_settings_that_name_control_tokens_wrongly_are_refused(
    added: dict[str, object], phrase: str, tmp_path: Path
) -> None:
    write_kimi(tmp_path, BYTES, added_tokens_decoder=added)
    with pytest.raises(Problem, match=phrase):
        read_tokenizer(tmp_path)
