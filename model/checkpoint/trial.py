"""A tokenizer is tried in a process of its own before the engine reads it: one that fails costs only itself.

What a tokenizer's file holds is nearly a program: patterns that look for ever, normalisers that fill the memory, and
faults that end the process .
"""

from collections.abc import Iterator
from pathlib import Path

from model.checkpoint.confined import confined
from model.checkpoint.gguf.parts import first_part
from model.checkpoint.tiktoken_model import TIKTOKEN
from model.checkpoint.tokenizer import Tokenizer, UnknownIds
from model.checkpoint.tokenizer_files import read_tokenizer
from model.checkpoint.tokenizer_json import JSON, SETTINGS
from model.problems import Problem

TRIAL_SECONDS = 10.0
TRIAL_BYTES = 10**9
_passed: set[tuple[tuple[str, int, int], ...]] = set()  # files as they were when they stood the trial


def open_tokenizer(
    path: str | Path, *, vocab_size: int, seconds: float = TRIAL_SECONDS
) -> tuple[Tokenizer | None, list[str]]:
    """The tokenizer of a checkpoint, or None with a note that says why prompts are token ids; and notes on it.

    Raises Problem only for ids that the embedding of `vocab_size` rows lacks: those belong to another model.
    """
    path = Path(path)
    try:
        _try(path, seconds)
        tokenizer = read_tokenizer(path, vocab_size=vocab_size)
    except UnknownIds:
        raise
    except Problem as problem:
        return None, [f"{str(problem).removesuffix('.')}. Until then prompts are token ids."]
    return tokenizer, [] if tokenizer is None else list(tokenizer.notes)


def _try(path: Path, seconds: float) -> None:
    files = tuple(_state(path))
    if not files or files in _passed:
        return
    try:
        confined("tokenizer", str(path.absolute()), seconds=seconds, memory_bytes=TRIAL_BYTES)
    except Problem as problem:
        said = str(problem)
        sentence = said if said.endswith(".") else f"The tokenizer of {path} failed ({said}); get it again."
        raise Problem(sentence) from None
    _passed.add(files)


def _state(path: Path) -> Iterator[tuple[str, int, int]]:
    """The files that a tokenizer is read from, with what changes when they do."""
    candidates = [first_part(path)] if path.is_file() else [path / name for name in (JSON, TIKTOKEN, SETTINGS)]
    for file in candidates:
        if file.is_file():
            status = file.stat()
            yield str(file.absolute()), status.st_size, status.st_mtime_ns
