"""Which safetensors files a checkpoint consists of, and which tensor is in which: by the index, never by globbing."""

import os
import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from model.outside import read_json_object
from model.problems import Problem
from model.tensorfile import TENSOR_LIMIT, Header, read_header

SINGLE = "model.safetensors"
INDEX = "model.safetensors.index.json"
INDEX_LIMIT = 128 * 2**20
SHARD_LIMIT = 2_000
_SHARD_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*\.safetensors")
_FOREIGN = {
    ".bin": "PyTorch pickles, which can run code; convert them to safetensors",
    ".pt": "PyTorch pickles, which can run code; convert them to safetensors",
    ".pth": "PyTorch pickles, which can run code; convert them to safetensors",
    ".ckpt": "PyTorch pickles, which can run code; convert them to safetensors",
    ".gguf": "GGUF files, which say themselves what is in config.json; open one of those files",
}


@dataclass(frozen=True, slots=True)
class Shard:
    """One file of a checkpoint and its header."""

    path: Path
    header: Header


def read_shards(folder: Path) -> tuple[Shard, ...]:
    """All files that hold the checkpoint's tensors, headers only. Raises Problem."""
    if os.path.lexists(folder / SINGLE):
        path = _contained(folder, SINGLE)
        return (Shard(path, read_header(path)),)
    if not os.path.lexists(folder / INDEX):
        raise Problem(_without_weights(folder))
    placed = _weight_map(folder / INDEX)
    if missing := sorted(name for name in placed if not os.path.lexists(folder / name)):
        raise Problem(f"{folder} lacks {_listed(missing)}, which {INDEX} names; download the folder again.")
    shards = tuple(Shard(path, read_header(path)) for path in (_contained(folder, name) for name in placed))
    _check_against_index(shards, placed, folder)
    return shards


def _weight_map(path: Path) -> dict[str, set[str]]:
    """File name -> the tensors that the index promises in it, in the order of the file names."""
    weight_map = read_json_object(path, limit=INDEX_LIMIT).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map or len(weight_map) > TENSOR_LIMIT:
        raise Problem(f"{path} has no weight_map of 1 to {TENSOR_LIMIT:,} tensors; download it again.")
    placed: dict[str, set[str]] = defaultdict(set)
    for tensor, name in weight_map.items():
        if not isinstance(name, str) or (name not in placed and not _SHARD_NAME.fullmatch(name)):
            raise Problem(
                f"{path} points outside its folder or at no safetensors file ({ascii(name)[:80]}); download it again."
            )
        placed[name].add(tensor)
    if len(placed) > SHARD_LIMIT:
        raise Problem(f"{path} names {len(placed):,} files; at most {SHARD_LIMIT:,} are read.")
    return {name: placed[name] for name in sorted(placed)}


def _contained(folder: Path, name: str) -> Path:
    """The file itself, which must lie in the folder, or among the blobs of the same Hugging Face cache entry."""
    folder = folder.resolve()
    try:
        path = (folder / name).resolve(strict=True)
    except (OSError, RuntimeError):
        raise Problem(f"{folder / name} is a link to nothing; download the file again.") from None
    if path.parent == folder or path.parent in _cache_blobs(folder):
        return path
    raise Problem(f"{folder / name} is a link out of its folder; put the file itself there.")


def _cache_blobs(folder: Path) -> list[Path]:
    """`models--*/blobs` when the folder is `models--*/snapshots/REVISION`."""
    entry = folder.parent.parent
    is_cache = folder.parent.name == "snapshots" and entry.name.startswith("models--")
    return [entry / "blobs"] if is_cache else []


def _check_against_index(shards: tuple[Shard, ...], placed: dict[str, set[str]], folder: Path) -> None:
    owner: dict[str, str] = {}
    for shard, (name, promised) in zip(shards, placed.items(), strict=True):
        if absent := sorted(promised - shard.header.entries.keys()):
            raise Problem(f"{folder / name} lacks {_listed(absent)}, which {INDEX} places there; download it again.")
        if twice := sorted(shard.header.entries.keys() & owner.keys()):
            other = owner[twice[0]]
            raise Problem(f"{folder / name} and {other} both hold {_listed(twice)}; download the folder again.")
        owner.update(dict.fromkeys(shard.header.entries, name))
    if len(owner) > TENSOR_LIMIT:
        raise Problem(f"{folder} holds {len(owner):,} tensors; at most {TENSOR_LIMIT:,} are read.")


def _without_weights(folder: Path) -> str:
    for path in sorted(folder.iterdir()):
        if path.suffix in _FOREIGN:
            return f"{folder} holds only {_FOREIGN[path.suffix]}."
    return f"{folder} has no {SINGLE} and no {INDEX}; choose the folder that holds them, or download it again."


def _listed(names: list[str], most: int = 10) -> str:
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")
