"""The tokenizer inside a GGUF file: byte-level BPE with its merges, and the cutting of text that `pre` names."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from tokenizers import AddedToken, Regex, decoders, models, pre_tokenizers
from tokenizers import Tokenizer as Library

from model.checkpoint.gguf.container import read_container
from model.checkpoint.gguf.cutting import PATTERNS
from model.checkpoint.gguf.parts import first_part
from model.checkpoint.library import JsonLibrary
from model.checkpoint.tokenizer import Tokenizer, as_problem, check_ids
from model.checkpoint.tokenizer_json import ambiguity_notes
from model.problems import Problem

_KEY = "tokenizer.ggml."
_CONTROL, _USER_DEFINED = 3, 4  # values of token_type


def vocabulary_notes(metadata: Mapping[str, object]) -> tuple[bool, list[str]]:
    """Whether the file has a tokenizer that can be read, and what a person should know about it."""
    model, pre = (_word(metadata.get(_KEY + name)) for name in ("model", "pre"))
    if model is None or not isinstance(metadata.get(_KEY + "tokens"), list):
        return False, ["There is no tokenizer in the file: prompts are token ids."]
    if model != "gpt2":
        return False, [f"The file's tokenizer is of the kind {ascii(model)[:40]}, which is not read: use token ids."]
    if pre not in PATTERNS:
        named = "does not say" if pre is None else f"says {ascii(pre)[:40]}, an unknown name,"
        return True, [f"The file {named} how text is cut before merging: GPT-2's way is used, and ids may differ."]
    return True, []


def read_vocabulary(path: Path, *, vocab_size: int | None = None) -> Tokenizer | None:
    """The tokenizer of a GGUF file (of its first part), or None when it has none that can be read. Raises Problem."""
    path = first_part(path)
    metadata = read_container(path).metadata
    readable, _ = vocabulary_notes(metadata)
    if not readable:
        return None
    tokens = _texts(metadata, "tokens", path)
    check_ids(range(len(tokens)), vocab_size, f"the tokenizer in {path}")
    with as_problem(f"the vocabulary in {path}"):
        library = _library(metadata, tokens, path)
        library.encode("a  b1, é")
    notes = ambiguity_notes((text, number) for number, text in enumerate(tokens))
    if len(set(tokens)) < len(tokens):
        notes.append(f"In the file's vocabulary {len(tokens) - len(set(tokens))} tokens have the text of another.")
    return Tokenizer(JsonLibrary(library, byte_level=True), prefix=_prefix(metadata, len(tokens)), notes=notes)


def token_named(metadata: Mapping[str, object], name: str) -> str | None:
    """The text of a token that has a role, as "bos" or "eos"."""
    tokens, number = metadata.get(_KEY + "tokens"), metadata.get(f"{_KEY}{name}_token_id")
    if isinstance(tokens, list) and type(number) is int and 0 <= number < len(tokens):
        return str(tokens[number])
    return None


def _word(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _library(metadata: Mapping[str, object], tokens: list[str], path: Path) -> Library:
    vocabulary = {text: number for number, text in reversed(list(enumerate(tokens)))}  # of two the first counts
    merges = [_merge(line, path) for line in _texts(metadata, "merges", path)]
    pre = _word(metadata.get(_KEY + "pre"))
    # Kimi's ranks know no merges: a whole piece that is a token is one, whatever merges would make of it.
    library = Library(models.BPE(vocabulary, merges, ignore_merges=pre == "kimi-k2"))
    patterns = PATTERNS.get(pre) if pre is not None else None
    cuts = [pre_tokenizers.Split(Regex(pattern), "isolated") for pattern in patterns or ()]
    alphabet = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=patterns is None)
    library.pre_tokenizer = pre_tokenizers.Sequence([*cuts, alphabet])
    library.decoder = decoders.ByteLevel()
    types = metadata.get(_KEY + "token_type")
    if isinstance(types, np.ndarray) and len(types) == len(tokens):
        for number in np.flatnonzero(np.isin(types, (_CONTROL, _USER_DEFINED))).tolist():
            special = bool(types[number] == _CONTROL)
            if tokens[number]:
                library.add_tokens([AddedToken(tokens[number], special=special, normalized=False)])
    return library


def _texts(metadata: Mapping[str, object], name: str, path: Path) -> list[str]:
    texts = metadata.get(_KEY + name)
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise Problem(f"{path} has no list of texts in {_KEY}{name}; get it again.")
    return texts


def _merge(line: str, path: Path) -> tuple[str, str]:
    left, _, right = line.partition(" ")
    if not left or not right or " " in right:
        raise Problem(f"{path} has the merge {line[:40]!a}, which is not two tokens; get it again.")
    return left, right


def _prefix(metadata: Mapping[str, object], count: int) -> list[int]:
    """The BOS where the file wants one; without a word llama.cpp adds none to a vocabulary of this kind."""
    bos = metadata.get(_KEY + "bos_token_id")
    wanted = metadata.get(_KEY + "add_bos_token") is True
    return [bos] if wanted and type(bos) is int and 0 <= bos < count else []
