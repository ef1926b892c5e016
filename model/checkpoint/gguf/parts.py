"""The names of a GGUF model's files: one file, or NAME-00001-of-00003.gguf and its siblings."""

import re
from pathlib import Path

PART = re.compile(r"(.+)-(\d{5})-of-(\d{5})\.gguf")


def first_part(path: Path) -> Path:
    """The file with the keys: `path` itself, or number 1 of the parts it is one of."""
    match = PART.fullmatch(path.name)
    return path if match is None else path.with_name(f"{match[1]}-00001-of-{match[3]}.gguf")
