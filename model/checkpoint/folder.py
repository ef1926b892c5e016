"""A checkpoint folder, described from its config and its files' headers alone: no weight is read."""

import gc
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from model.checkpoint.chat import template_notes
from model.checkpoint.checkpoint import Checkpoint
from model.checkpoint.describing import describe
from model.checkpoint.families.table import parse_config
from model.checkpoint.formats.scheme import read_scheme
from model.checkpoint.gguf.checkpoint import read_gguf
from model.checkpoint.names import locate
from model.checkpoint.shards import INDEX, SINGLE, Shard, read_shards
from model.checkpoint.stored import Stored, bytes_by_format
from model.checkpoint.tokenizer_files import has_tokenizer
from model.config import DtypeName
from model.outside import parse_json, read_bounded, read_json_object
from model.problems import Problem

CONFIG_LIMIT = 10**6
_RUN_DTYPES: dict[str, DtypeName] = {
    "float32": "float32",
    "bfloat16": "bfloat16",
    "float16": "float16",
    "float64": "float32",
}


@contextmanager
def _uncollected() -> Iterator[None]:
    """No search for garbage: headers make hundreds of thousands of objects, all of which stay."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@_uncollected()
def read_checkpoint(path: str | Path) -> Checkpoint:
    """Describe the checkpoint in a folder, one of whose main files may be named instead, or in GGUF. Raises Problem."""
    try:
        path = Path(path).expanduser()
        if path.suffix == ".gguf" and not path.is_dir():
            return read_gguf(path)
        folder = _folder(path)
    except (OSError, RuntimeError) as error:  # no permission, a name too long, an unknown ~user
        reason = getattr(error, "strerror", None) or "no such user"
        raise Problem(f"{str(path)[:200]} cannot be opened ({reason}); check the path and its permissions.") from None
    content = read_bounded(folder / "config.json", limit=CONFIG_LIMIT)
    values = _config_values(content, folder)
    parsed = parse_config(values, folder / "config.json")
    scheme = read_scheme(values, folder / "config.json")
    shards = read_shards(folder)
    notes = list(parsed.notes)
    located = locate(shards, parsed, notes)
    tensors = describe(shards, located, scheme)
    dtype = parsed.dtype or _dtype(tensors["model.embed_tokens.weight"])
    has_words = has_tokenizer(folder)
    if not has_words:
        notes.append("There is no tokenizer.json and no tiktoken.model: prompts are token ids.")
    has_template, remarks = template_notes(folder)
    return Checkpoint(
        path=folder,
        name=folder.resolve().name,
        config=replace(located.config, dtype=dtype),
        tensors=tensors,
        dtype=dtype,
        files=tuple(shard.path for shard in shards),
        file_bytes=sum(shard.header.file_bytes for shard in shards),
        formats=bytes_by_format(tensors.values()),
        notes=[*notes, *remarks],
        fingerprint=_fingerprint(content, shards),
        has_tokenizer=has_words,
        has_chat_template=has_words and has_template,
    )


def _folder(path: Path) -> Path:
    if path.name in ("config.json", SINGLE, INDEX) and not path.is_dir():
        path = path.parent
    if path.is_dir():
        if (path / "config.json").exists() or os.path.lexists(path / "config.json"):
            return path
        raise Problem(_without_config(path))
    if path.exists():
        raise Problem(
            f"{path} is a file; choose the folder that holds config.json and the safetensors files, or a .gguf file."
        )
    raise Problem(f"{path} does not exist; check the path.")


def _without_config(folder: Path) -> str:
    if files := sorted(file.name for file in folder.glob("*.gguf")):
        return f"{folder} has no config.json but {files[0][:80]!a}; open that file."
    return f"{folder} has no config.json; choose the folder of a checkpoint in Hugging Face layout, or a .gguf file."


def _config_values(content: bytes, folder: Path) -> dict[str, object]:
    """config.json, with the token ids of generation_config.json in front where it names some."""
    path = folder / "config.json"
    values = parse_json(content, where=str(path))
    if not isinstance(values, dict):
        raise Problem(f"{path} does not hold a JSON object; get the file again.")
    if os.path.lexists(folder / "generation_config.json"):
        generation = read_json_object(folder / "generation_config.json", limit=CONFIG_LIMIT)
        ids = {key: generation[key] for key in ("bos_token_id", "eos_token_id") if generation.get(key) is not None}
        values = values | ids
    return values


def _dtype(embedding: Stored) -> DtypeName:
    """The dtype to run in when the config names none."""
    return _RUN_DTYPES.get(embedding.format, "bfloat16")


def _fingerprint(content: bytes, shards: tuple[Shard, ...]) -> str:
    digest = hashlib.sha256(content)
    for shard in shards:
        digest.update(shard.header.digest.encode())
    return digest.hexdigest()
