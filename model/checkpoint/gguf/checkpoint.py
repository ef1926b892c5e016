"""A checkpoint in GGUF: one file of architecture deepseek2, or the parts of one, described from their fronts alone."""

import hashlib
import os
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from model.checkpoint.checkpoint import Checkpoint
from model.checkpoint.families.table import parse_config
from model.checkpoint.gguf.container import Container, read_container
from model.checkpoint.gguf.names import Placed, place
from model.checkpoint.gguf.parts import PART, first_part
from model.checkpoint.gguf.settings import Metadata, config_values
from model.checkpoint.gguf.vocabulary import vocabulary_notes
from model.checkpoint.mapped import MappedFile
from model.checkpoint.stored import bytes_by_format
from model.config import DtypeName
from model.problems import Problem
from model.tensorfile import TENSOR_LIMIT, Entry

PART_LIMIT = 2_000
# The dtype to run in, by that of the embedding; bfloat16 where it is quantised.
_RUN_DTYPES: dict[str, DtypeName] = {"F32": "float32", "F64": "float32", "BF16": "bfloat16", "F16": "float16"}


class Part(NamedTuple):
    """One file and its front."""

    path: Path
    container: Container


def read_gguf(path: str | Path) -> Checkpoint:
    """Describe the model in a `.gguf` file; of a model in several files any may be named. Raises Problem."""
    parts = _parts(Path(path))
    first = parts[0]
    tensors = _placed(parts)
    entries: dict[str, Entry] = {name: placed.entry for name, placed in tensors.items()}
    notes: list[str] = []
    values = config_values(Metadata(first.container.metadata, entries, str(first.path)), notes)
    parsed = parse_config(values, first.path)
    stored = place(tensors, parsed.config, str(first.path), notes := [*parsed.notes, *notes])
    dtype = _RUN_DTYPES.get(entries["token_embd.weight"].dtype, "bfloat16")
    has_tokenizer, remarks = vocabulary_notes(first.container.metadata)
    has_template = isinstance(first.container.metadata.get("tokenizer.chat_template"), str)
    return Checkpoint(
        path=first.path,
        name=PART.sub(r"\1", first.path.name).removesuffix(".gguf"),
        config=replace(parsed.config, dtype=dtype),
        tensors=stored,
        dtype=dtype,
        files=tuple(part.path for part in parts),
        file_bytes=sum(part.container.file_bytes for part in parts),
        formats=bytes_by_format(stored.values()),
        notes=[*notes, *remarks],
        fingerprint=_fingerprint(parts),
        has_tokenizer=has_tokenizer,
        has_chat_template=has_tokenizer and has_template,
    )


def _parts(path: Path) -> list[Part]:
    """All files of the model, the one with the keys first. Raises Problem."""
    first = first_part(path)
    container = read_container(first)
    count = container.metadata.get("split.count", 0)
    if type(count) is not int or not 0 <= count <= PART_LIMIT:
        raise Problem(
            f"{first} has split.count = {ascii(count)[:40]}, not a number up to {PART_LIMIT:,}; get it again."
        )
    match = PART.fullmatch(first.name)
    if count > 1 and (match is None or int(match[3]) != count):
        raise Problem(f"{first} is one of {count} parts but is not named NAME-00001-of-{count:05}.gguf; name it so.")
    if count <= 1 or match is None:
        return [Part(first, container)]
    paths = [first.with_name(f"{match[1]}-{number:05}-of-{match[3]}.gguf") for number in range(2, count + 1)]
    if missing := [other.name for other in paths if not os.path.lexists(other)]:
        rest = f" and {len(missing) - 10} more" if len(missing) > 10 else ""
        raise Problem(f"{first} lacks its parts {', '.join(missing[:10])}{rest}; put them beside it.")
    return [Part(first, container), *(Part(other, read_container(other)) for other in paths)]


def _placed(parts: list[Part]) -> dict[str, Placed]:
    tensors: dict[str, Placed] = {}
    for path, container in parts:
        head = (0, container.data_start)
        file = MappedFile(path, file_bytes=container.file_bytes, head=head, digest=container.digest)
        if twice := sorted(tensors.keys() & container.tensors.keys()):
            raise Problem(f"{path} holds {twice[0][:80]!a}, which another part holds too; get all parts again.")
        for name, entry in container.tensors.items():
            tensors[name] = Placed(file, container.data_start + entry.start, entry)
    if len(tensors) > TENSOR_LIMIT:
        raise Problem(
            f"{parts[0].path} and its parts hold {len(tensors):,} tensors; at most {TENSOR_LIMIT:,} are read."
        )
    return tensors


def _fingerprint(parts: list[Part]) -> str:
    return hashlib.sha256("".join(part.container.digest for part in parts).encode()).hexdigest()
