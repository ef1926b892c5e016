"""Which tokenizer a checkpoint has: `tokenizer.json`, else `tiktoken.model`, or the vocabulary in a GGUF file."""

from pathlib import Path

from model.checkpoint.gguf.vocabulary import read_vocabulary
from model.checkpoint.tiktoken_model import TIKTOKEN, read_tiktoken
from model.checkpoint.tokenizer import Tokenizer
from model.checkpoint.tokenizer_json import JSON, read_json_tokenizer


def has_tokenizer(folder: Path) -> bool:
    """Whether a checkpoint folder holds a tokenizer that can be read."""
    return (folder / JSON).is_file() or (folder / TIKTOKEN).is_file()


def read_tokenizer(path: str | Path, *, vocab_size: int | None = None) -> Tokenizer | None:
    """The tokenizer of a checkpoint folder or of a GGUF file, or None when it has none that can be read.

    Raises Problem when it is damaged, or when it has ids that an embedding of `vocab_size` rows lacks.
    """
    path = Path(path)
    if path.suffix == ".gguf" and not path.is_dir():
        return read_vocabulary(path, vocab_size=vocab_size)
    if (path / JSON).is_file():
        return read_json_tokenizer(path / JSON, vocab_size=vocab_size)
    if (path / TIKTOKEN).is_file():
        return read_tiktoken(path / TIKTOKEN, vocab_size=vocab_size)
    return None
