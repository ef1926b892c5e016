"""The corpus: one text a domain, split into what is trained on and what is held out.

Documents are separated by a line `<|endoftext|>`; the domain is the file's name. The end of every
domain is held out. Python source comes from the interpreter that trains.
"""

import hashlib
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from model.training.recipe import DOCUMENT_END

SEPARATOR = f"\n{DOCUMENT_END}\n"
HELD_OUT_SHARE = 20  # one twentieth
HELD_OUT_CHARACTERS = 50_000
LIBRARY_CHARACTERS = 6_000_000
NOT_LIBRARY = {"test", "tests", "idlelib", "lib2to3", "turtledemo", "encodings", "pydoc_data", "site-packages"}


@dataclass(frozen=True, slots=True)
class Domain:
    """One kind of text. Together the two parts are the whole of it."""

    name: str
    training: str
    held_out: str

    def training_documents(self) -> list[str]:
        """The documents of the trained part."""
        return self.training.split(SEPARATOR)


def read(folder: Path, *, standard_library: bool = True) -> list[Domain]:
    """Every *.txt of a folder, then Python's standard library as a domain of its own."""
    files = sorted(folder.glob("*.txt"))
    if not files:
        raise ValueError(f"{folder} holds no .txt file to train on")
    domains = [split(file.stem, file.read_text(encoding="utf-8")) for file in files]
    if standard_library:
        domains.append(split("python", standard_library_text()))
    return domains


def split(name: str, text: str) -> Domain:
    """Hold out the last 5 % of a text, at least 50,000 characters, at most half of it."""
    held_out = min(max(len(text) // HELD_OUT_SHARE, HELD_OUT_CHARACTERS), len(text) // 2)
    return Domain(name, text[: len(text) - held_out], text[len(text) - held_out :])


def standard_library_text() -> str:
    """Modules of the installed standard library in an order that depends on their names alone, 6 MB of them."""
    root = Path(sysconfig.get_paths()["stdlib"])
    files = [file for file in root.rglob("*.py") if not NOT_LIBRARY.intersection(file.relative_to(root).parts)]
    files.sort(key=lambda file: hashlib.sha256(file.relative_to(root).as_posix().encode()).digest())
    documents, size = [], 0
    for file in files:
        text = file.read_text(encoding="utf-8", errors="ignore").strip()
        if text and DOCUMENT_END not in text and size < LIBRARY_CHARACTERS:
            documents.append(text)
            size += len(text)
    return SEPARATOR.join(documents)
