"""Tokenizers in GGUF files: the ids of the tokenizer.json they were made from, for every way of cutting text."""

from pathlib import Path

import pytest

from model.checkpoint.gguf.container import read_container
from model.checkpoint.gguf.vocabulary import vocabulary_notes
from model.checkpoint.tokenizer_files import read_tokenizer
from model.problems import Problem
from tests.model.checkpoint.vocabularies import TEXTS, described, train, write_gguf

# As the models' own tokenizer.json have them, written out here once more; cased letters shortened to categories.
ORIGINAL = {
    "deepseek-v3": [
        r"\p{N}{1,3}",
        "[一-龥\u3040-ゟ゠-ヿ]+",
        r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"
        r"| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    ],
    "deepseek-llm": [
        "[\r\n]",
        r"\s?(?:(?![\x{1D400}-\x{1D7FF}])[\p{Lu}\p{Ll}\p{Lt}])+",
        "\\s?[!-/:-~！-／：-～‘-‟\u3000-。]+",
        r"\s+$",
        "[一-龥ࠀ-一가-\ud7ff]+",
        r"\p{N}+",
    ],
    "glm4": [
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
        r"|\s+(?!\S)|\s+"
    ],
}


@pytest.mark.parametrize("pre", ORIGINAL)
def test_ids_are_those_of_the_original(pre: str, tmp_path: Path) -> None:
    original = train(ORIGINAL[pre])
    tokens, merges = described(original)
    tokenizer = read_tokenizer(write_gguf(tmp_path / "x.gguf", tokens, [" ".join(pair) for pair in merges], pre=pre))
    assert tokenizer is not None
    for text in TEXTS:
        ids = tokenizer.encode(text)
        assert ids == original.encode(text).ids, text
        assert tokenizer.decode(ids) == text


def test_control_tokens_and_the_bos_are_known(tmp_path: Path) -> None:
    tokens, merges = described(train(ORIGINAL["deepseek-v3"]))
    tokens += ["<bos>", "<｜User｜>", "user made"]
    types = [1] * (len(tokens) - 3) + [3, 3, 4]
    path = write_gguf(
        tmp_path / "x.gguf",
        tokens,
        [" ".join(pair) for pair in merges],
        pre="deepseek-v3",
        types=types,
        bos=len(tokens) - 3,
    )
    tokenizer = read_tokenizer(path, vocab_size=len(tokens))
    assert tokenizer is not None
    bos, user, made = range(len(tokens) - 3, len(tokens))
    assert tokenizer.prefix == (bos,)
    assert tokenizer.controls == {"<bos>": bos, "<｜User｜>": user}
    assert tokenizer.encode("<｜User｜>a", parse_control=True)[:2] == [bos, user]
    assert user not in tokenizer.encode("<｜User｜>a")
    assert made in tokenizer.encode("a user made b")
    assert tokenizer.decode(tokenizer.encode("<｜User｜>a")) == "<｜User｜>a"
    assert tokenizer.pieces([bos, user]) == ["<bos>", "<｜User｜>"]
    with pytest.raises(Problem, match="but the embedding has 7 rows"):
        read_tokenizer(path, vocab_size=7)


@pytest.mark.parametrize(
    ("model", "pre", "readable", "phrase"),
    [
        ("gpt2", "deepseek-v3", True, ""),
        ("gpt2", "tomorrow", True, "says 'tomorrow', an unknown name"),
        ("gpt2", None, True, "does not say how text is cut"),
        ("llama", None, False, "of the kind 'llama'"),
    ],
)
def test_what_is_unknown_is_told(model: str, pre: str | None, readable: bool, phrase: str, tmp_path: Path) -> None:
    tokens, merges = described(train([]))
    lines = [" ".join(pair) for pair in merges]
    path = write_gguf(tmp_path / "x.gguf", tokens, lines, pre=pre, model=model)
    known, notes = vocabulary_notes(read_container(path).metadata)
    assert known is readable
    assert phrase in " ".join(notes)
    assert bool(notes) == bool(phrase)
    assert (read_tokenizer(path) is not None) is readable


@pytest.mark.parametrize(("merge", "phrase"), [("ab", "not two tokens"), ("a b c", "not two"), ("zz yy", "failed on")])
def test_bad_merges_are_refused(merge: str, phrase: str, tmp_path: Path) -> None:
    tokens, _ = described(train([]))
    with pytest.raises(Problem, match=phrase):
        read_tokenizer(write_gguf(tmp_path / "x.gguf", tokens, [merge], pre="gpt-2"))


def test_tokens_with_the_text_of_another_are_told(tmp_path: Path) -> None:
    tokens, merges = described(train([]))
    lines = [" ".join(pair) for pair in merges]
    tokenizer = read_tokenizer(write_gguf(tmp_path / "x.gguf", [*tokens, "a"], lines, pre="gpt-2"))
    assert tokenizer is not None
    assert "1 tokens have the text of another" in " ".join(tokenizer.notes)
    assert tokenizer.encode("a") == [tokens.index("a")]
