"""Texts to measure over: every text file of a folder is a domain, named after the file. Nothing in them is trusted."""

from pathlib import Path
from typing import NamedTuple

from model.expert_profile import DOMAIN_LIMIT, NAME_LIMIT
from model.outside import open_regular
from model.problems import Problem

SUFFIXES = (".txt", ".md", ".py")
MOST_BYTES = 2 * 10**6  # of one file: what the tokenizer takes at once


class Text(NamedTuple):
    """One domain."""

    name: str
    text: str


def read_texts(folder: str | Path, *, most_bytes: int) -> list[Text]:
    """The beginning of every text in a folder, in the order of their names. Raises Problem."""
    folder = Path(folder).expanduser()
    try:
        files = sorted(file for file in folder.iterdir() if file.suffix in SUFFIXES and file.is_file())
    except OSError as error:
        raise Problem(f"{folder} cannot be read ({error.strerror}); choose a folder of texts.") from None
    if len(files) > DOMAIN_LIMIT:
        raise Problem(f"{folder} holds {len(files):,} texts; at most {DOMAIN_LIMIT} domains are profiled, one a file.")
    texts = [Text(file.stem[:NAME_LIMIT], _start(file, most_bytes)) for file in files]
    texts = [text for text in texts if text.text.strip()]
    if not texts:
        raise Problem(f"{folder} holds no text; put files ending in {', '.join(SUFFIXES)} there, one a domain.")
    return texts


def _start(file: Path, most_bytes: int) -> str:
    """As much of a file as is read; half a character at the cut is left out. Raises Problem for what is not UTF-8."""
    most = min(most_bytes, MOST_BYTES)
    with open_regular(file) as opened:
        content = opened.read(most + 1)
    cut = len(content) > most
    try:
        return content[:most].decode("utf-8")
    except UnicodeDecodeError as error:
        if cut and error.start >= most - 3:
            return content[: error.start].decode("utf-8")
        raise Problem(f"{file} is not UTF-8 text; save it as UTF-8, or take it out of the folder.") from None
