"""A checkpoint folder, described from its config and its files' headers alone: no weight is read."""

import hashlib
import os
from dataclasses import dataclass, replace
from pathlib import Path

from model.checkpoint.families.table import Parsed, parse_config
from model.checkpoint.names import Source, locate
from model.checkpoint.shards import INDEX, SINGLE, Shard, read_shards
from model.config import DtypeName, ModelConfig
from model.outside import parse_json, read_bounded, read_json_object
from model.problems import Problem

CONFIG_LIMIT = 10**6
_STORED_DTYPES: dict[str, DtypeName] = {"F32": "float32", "BF16": "bfloat16", "F16": "float16", "F64": "float32"}


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """What a folder holds. `location` says for every name of `model.shapes.tensor_shapes` where its values are.

    `file_bytes` counts the safetensors files, `fingerprint` is the SHA-256 of the config and all headers.
    """

    path: Path
    name: str
    config: ModelConfig
    shards: tuple[Shard, ...]
    location: dict[str, Source]
    dtype: DtypeName
    file_bytes: int
    notes: list[str]
    fingerprint: str
    has_tokenizer: bool


def read_checkpoint(path: str | Path) -> Checkpoint:
    """Describe the checkpoint in a folder; one of its main files may be named instead. Raises Problem."""
    try:
        folder = _folder(Path(path).expanduser())
    except (OSError, RuntimeError) as error:  # no permission, a name too long, an unknown ~user
        reason = getattr(error, "strerror", None) or "no such user"
        raise Problem(f"{str(path)[:200]} cannot be opened ({reason}); check the path and its permissions.") from None
    content = read_bounded(folder / "config.json", limit=CONFIG_LIMIT)
    parsed = _parse(content, folder)
    shards = read_shards(folder)
    notes = list(parsed.notes)
    location = locate(shards, parsed.config, notes)
    stored_dtype = _stored_dtype(shards, location)
    dtype = parsed.dtype or stored_dtype
    has_tokenizer = (folder / "tokenizer.json").is_file()
    if not has_tokenizer:
        notes.append("There is no tokenizer.json: prompts are token ids.")
    return Checkpoint(
        path=folder,
        name=folder.resolve().name,
        config=replace(parsed.config, dtype=dtype),
        shards=shards,
        location=location,
        dtype=dtype,
        file_bytes=sum(shard.header.file_bytes for shard in shards),
        notes=notes,
        fingerprint=_fingerprint(content, shards),
        has_tokenizer=has_tokenizer,
    )


def _folder(path: Path) -> Path:
    if path.name in ("config.json", SINGLE, INDEX) and not path.is_dir():
        path = path.parent
    if path.is_dir():
        if (path / "config.json").exists() or os.path.lexists(path / "config.json"):
            return path
        raise Problem(f"{path} has no config.json; choose the folder of a checkpoint in Hugging Face layout.")
    if path.exists():
        raise Problem(f"{path} is a file; choose the folder that holds config.json and the safetensors files.")
    raise Problem(f"{path} does not exist; check the path.")


def _parse(content: bytes, folder: Path) -> Parsed:
    """config.json, with the token ids of generation_config.json in front where it names some."""
    path = folder / "config.json"
    values = parse_json(content, where=str(path))
    if not isinstance(values, dict):
        raise Problem(f"{path} does not hold a JSON object; get the file again.")
    if os.path.lexists(folder / "generation_config.json"):
        generation = read_json_object(folder / "generation_config.json", limit=CONFIG_LIMIT)
        ids = {key: generation[key] for key in ("bos_token_id", "eos_token_id") if generation.get(key) is not None}
        values = values | ids
    return parse_config(values, path)


def _stored_dtype(shards: tuple[Shard, ...], location: dict[str, Source]) -> DtypeName:
    """The dtype of the embedding. Raises Problem when any tensor is stored as something else than floats."""
    for source in location.values():
        stored = shards[source.shard].header.entries[source.stored].dtype
        if stored not in _STORED_DTYPES:
            where = f"{source.stored} in {shards[source.shard].path}"
            raise Problem(f"{where} is stored as {stored}, which is not supported yet; use a bf16 copy.")
    source = location["model.embed_tokens.weight"]
    return _STORED_DTYPES[shards[source.shard].header.entries[source.stored].dtype]


def _fingerprint(content: bytes, shards: tuple[Shard, ...]) -> str:
    digest = hashlib.sha256(content)
    for shard in shards:
        digest.update(shard.header.digest.encode())
    return digest.hexdigest()
