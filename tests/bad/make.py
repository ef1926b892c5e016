"""How to damage a checkpoint folder: one function per kind of damage. Built on demand; no binary is stored."""

import json
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from model.tensorfile import NUMPY_DTYPES, write_tensors
from tests.model.checkpoint.sample import read_index, tensors_of, write_config, write_index, write_sample, write_sharded


class Bad(NamedTuple):
    """How a folder is damaged, and a phrase of the one sentence that refuses it."""

    make: Callable[[Path], object]
    phrase: str


def is_one_sentence(text: str) -> bool:
    """Short, printable, and one sentence: it names a cause and, behind a semicolon or a colon, what to do."""
    return text.endswith(".") and text.isprintable() and len(text) < 1000 and any(mark in text for mark in ";:,")


def of_case(number: int, table: dict[str, Bad]) -> dict[str, Bad]:
    """The same table with the number of the case in every name, so that a failing test tells it."""
    return {f"case {number:02}: {name}": bad for name, bad in table.items()}


def weights(folder: Path) -> Path:
    return folder / "model.safetensors"


def with_bytes(content: bytes) -> Callable[[Path], object]:
    """A sound config beside a weight file of these bytes."""
    return lambda folder: weights(write_config(folder)).write_bytes(content)


def with_header(text: str | bytes, data: int = 0) -> Callable[[Path], object]:
    content = text if isinstance(text, bytes) else text.encode()
    return with_bytes(len(content).to_bytes(8, "little") + content + bytes(data))


def with_entry(data: int = 4, name: str = "x", **fields: object) -> Callable[[Path], object]:
    entry = {"dtype": "U8", "shape": [4], "data_offsets": [0, 4]} | fields
    return with_header(json.dumps({name: entry}), data)


def with_ranges(*ranges: tuple[int, int], data: int) -> Callable[[Path], object]:
    header = {
        f"t{number}": {"dtype": "U8", "shape": [max(end - start, 0)], "data_offsets": [start, end]}
        for number, (start, end) in enumerate(ranges)
    }
    return with_header(json.dumps(header), data)


def with_config(**changes: object) -> Callable[[Path], object]:
    """Sound weights beside a config with some keys changed."""
    return lambda folder: write_config(write_sample(folder), **changes)


def with_config_text(change: Callable[[str], str]) -> Callable[[Path], object]:
    def make(folder: Path) -> None:
        path = write_sample(folder) / "config.json"
        path.write_text(change(path.read_text()))

    return make


def with_map(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], object]:
    """A sharded folder whose weight map is changed."""

    def make(folder: Path) -> None:
        weight_map: dict[str, Any] = dict(read_index(write_sharded(folder)))
        change(weight_map)
        write_index(folder, weight_map)

    return make


def with_shard_named(name: str) -> Callable[[Path], object]:
    return with_map(lambda weight_map: weight_map.update({"lm_head.weight": name}))


def without_tensors(*endings: str) -> Callable[[Path], object]:
    def make(folder: Path) -> None:
        kept = {name: x for name, x in tensors_of().items() if not name.endswith(endings)}
        write_tensors(weights(write_config(folder)), kept)

    return make


def with_tensor(name: str, dtype: str) -> Callable[[Path], object]:
    """Sound weights but for one tensor, which is stored as zeros of another dtype."""

    def make(folder: Path) -> None:
        tensors = tensors_of()
        zeros = np.zeros(tensors[name][1].shape, NUMPY_DTYPES[dtype])
        write_tensors(weights(write_config(folder)), {**tensors, name: (dtype, zeros)})

    return make


def truncated(folder: Path) -> None:
    content = weights(write_sample(folder)).read_bytes()
    weights(folder).write_bytes(content[:-1000])


def shard_missing(folder: Path) -> None:
    (write_sharded(folder) / "a-2.safetensors").unlink()


def fifteen_shards_missing(folder: Path) -> None:
    names = {f"x{number:02}": f"b-{number:02}.safetensors" for number in range(15)}
    write_index(folder, read_index(write_sharded(folder)) | names)


def index_swapped(*endings: str) -> Callable[[Path], object]:
    """An index that promises tensors in the other one of its two files."""

    def make(folder: Path) -> None:
        weight_map = read_index(write_sharded(folder))
        write_index(
            folder, {name: other(file) if name.endswith(endings) else file for name, file in weight_map.items()}
        )

    return make


def other(name: str) -> str:
    return "a-1.safetensors" if name == "a-2.safetensors" else "a-2.safetensors"


def tensor_in_two_shards(folder: Path) -> None:
    weight_map = read_index(write_sharded(folder))
    tensors = tensors_of()
    twice = next(name for name, file in weight_map.items() if file == "a-1.safetensors")
    second = {name: x for name, x in tensors.items() if weight_map[name] == "a-2.safetensors" or name == twice}
    write_tensors(folder / "a-2.safetensors", second)


def unix_socket(folder: Path) -> None:
    write_config(folder)
    here = Path.cwd()
    os.chdir(folder)  # a socket's path may have 107 bytes
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("model.safetensors")
    os.chdir(here)


def linked_to(target: str) -> Callable[[Path], object]:
    def make(folder: Path) -> None:
        write_sample(folder)
        weights(folder).rename(folder.parent / f"{folder.name}-elsewhere.safetensors")
        weights(folder).symlink_to(target.format(folder=folder.name))

    return make


def linked_shard(target: str) -> Callable[[Path], object]:
    """A sharded folder, one of whose files is a link."""

    def make(folder: Path) -> None:
        shard = write_sharded(folder) / "a-2.safetensors"
        shard.rename(folder.parent / f"{folder.name}-elsewhere.safetensors")
        shard.symlink_to(target.format(folder=folder.name))

    return make


def device(name: str) -> Callable[[Path], object]:
    """A file that is a link to a device which never ends."""

    def make(folder: Path) -> None:
        (write_sample(folder) / name).unlink(missing_ok=True)
        (folder / name).symlink_to("/dev/zero")

    return make


def pipe_named(name: str) -> Callable[[Path], object]:
    def make(folder: Path) -> None:
        (write_sharded(folder) / name).unlink(missing_ok=True)
        os.mkfifo(folder / name)

    return make


def only(name: str) -> Callable[[Path], object]:
    return lambda folder: (write_config(folder) / name).write_bytes(b"\x80\x02}")
