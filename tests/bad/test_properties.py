"""Cases 2 to 7, 22 and 23 for any file at all: what a reader accepts keeps to every limit, and strangers agree."""

import json
import struct
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import TypeVar

import numpy as np
import pytest
from gguf import GGUFReader
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open

from model.checkpoint.families.table import parse_config
from model.checkpoint.gguf.container import read_container
from model.expert_profile import read_profile
from model.problems import Problem
from model.shapes import parameters_total
from model.tensorfile import NUMPY_DTYPES, read_header
from tests.bad.limits import check_container, check_header
from tests.bad.make import is_one_sentence
from tests.fuzz import seeds
from tests.fuzz.mutate import mutated
from tests.model.checkpoint.gguf.hand import ARRAY, TEXT, Gguf, array, key, tensor, text, u32
from tests.model.checkpoint.sample import CONFIG

Read = TypeVar("Read")
some = settings(deadline=None, max_examples=200, derandomize=True)
numbers = st.integers(0, 2**32)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("any") / "file"


def accepted(read: Callable[[], Read]) -> Read | None:
    """What a reader makes of a file, or None when it refuses it as it should."""
    try:
        return read()
    except Problem as problem:
        sentence = str(problem)
    assert is_one_sentence(sentence), sentence
    return None


@st.composite
def headers(draw: st.DrawFn) -> tuple[dict[str, object], int]:
    """A sound safetensors header, and the bytes of data it needs."""
    header: dict[str, object] = {"__metadata__": {"format": "pt"}} if draw(st.booleans()) else {}
    end = 0
    for number in range(draw(st.integers(0, 4))):
        dtype = draw(st.sampled_from(sorted(NUMPY_DTYPES)))
        shape = draw(st.lists(st.integers(0, 3), max_size=3))
        start, end = end, end + int(np.prod(shape, dtype=np.int64)) * NUMPY_DTYPES[dtype].itemsize
        header[f"t{number}"] = {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}
    return header, end


def check_tensors(path: Path, content: bytes) -> bool:
    """Whether our reader accepts such a file; if so it keeps to the limits, and the library reads the same."""
    path.write_bytes(content)
    header = accepted(lambda: read_header(path))
    if header is None:
        return False
    check_header(header)
    with safe_open(path, framework="np") as file:
        library = {name: (file.get_slice(name).get_dtype(), file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
        assert library == {name: (entry.dtype, list(entry.shape)) for name, entry in header.entries.items()}
        assert (file.metadata() or {}) == header.metadata
    return True


@some
@given(made=headers(), padding=st.integers(0, 3))
def test_sound_tensor_files_are_accepted(path: Path, made: tuple[dict[str, object], int], padding: int) -> None:
    content = json.dumps(made[0]).encode() + b" " * padding
    assert check_tensors(path, len(content).to_bytes(8, "little") + content + bytes(made[1]))


@some
@given(made=headers(), number=numbers, surplus=st.sampled_from([0, 0, 0, -1, 1, 8]))
def test_tensor_files_changed_in_their_structure_keep_to_the_limits_or_are_refused(
    path: Path, made: tuple[dict[str, object], int], number: int, surplus: int
) -> None:
    content = mutated(json.dumps(made[0]).encode(), Random(number))
    assert content is not None
    check_tensors(path, len(content).to_bytes(8, "little") + content + bytes(max(made[1] + surplus, 0)))


@some
@given(made=headers(), length=st.one_of(st.none(), st.integers(0, 2**64 - 1)), noise=st.binary(max_size=40), at=numbers)
def test_tensor_files_with_random_bytes_in_them_keep_to_the_limits_or_are_refused(
    path: Path, made: tuple[dict[str, object], int], length: int | None, noise: bytes, at: int
) -> None:
    content = json.dumps(made[0]).encode()
    whole = bytearray((len(content) if length is None else length).to_bytes(8, "little") + content + bytes(made[1]))
    start = at % len(whole)
    whole[start : start + len(noise)] = noise
    check_tensors(path, bytes(whole))


ODD_SIZES = st.sampled_from([0, 1, 2, 4, 31, 32, 33, 64, 256, 2**31, 2**32 - 1, 2**62, 2**63, 2**64 - 1])


@st.composite
def containers(draw: st.DrawFn) -> bytes:
    """A GGUF file, most of them sound but for a part or two."""
    alignment = draw(st.sampled_from([32, 32, 32, 64, 48, 0, 2**20]))
    keys = [u32("general.alignment", alignment)] if alignment != 32 else []
    keys += [key(draw(st.sampled_from(["a", "b", "", "\n"])), TEXT, text("x")) for _ in range(draw(st.integers(0, 2)))]
    if draw(st.booleans()):
        keys.append(key("texts", ARRAY, array(TEXT, 2, text("é") + text("b"))))
    tensors, end = [], 0
    for number in range(draw(st.integers(0, 3))):
        kind, block, size = draw(st.sampled_from([(0, 1, 4), (1, 1, 2), (8, 32, 34), (12, 256, 144), (30, 1, 2)]))
        dimensions = [draw(st.integers(1, 3)) * block, *draw(st.lists(st.integers(1, 3), max_size=3))]
        start = end + -end % (alignment or 32)
        if draw(st.integers(0, 9)) == 0:
            dimensions[draw(st.integers(0, len(dimensions) - 1))] = draw(ODD_SIZES)
        if draw(st.integers(0, 9)) == 0:
            start = draw(ODD_SIZES)
        tensors.append(tensor(f"t{number}", dimensions, kind, start % 2**64))
        end = start + int(np.prod(dimensions, dtype=object)) // block * size
    counts = {"key_count": draw(ODD_SIZES)} if draw(st.integers(0, 9)) == 0 else {}
    data = bytes(min(end, 4096) + draw(st.sampled_from([0, 0, 0, -1, 40])) if end else 0)
    return Gguf(keys, tensors, data, alignment=alignment or 32, **counts).build()


def check_gguf(path: Path, content: bytes) -> bool:
    """Whether our reader accepts such a file; if so it keeps to the limits, and gguf's own reader sees the same."""
    path.write_bytes(content)
    container = accepted(lambda: read_container(path))
    if container is None:
        return False
    check_container(container)
    theirs = GGUFReader(path)  # it hangs on some files that ours refuses
    assert {found.name: (found.tensor_type.name, found.shape.tolist()[::-1]) for found in theirs.tensors} == {
        name: (entry.dtype, list(entry.shape)) for name, entry in container.tensors.items()
    }
    for found in theirs.tensors:
        entry = container.tensors[found.name]
        assert found.data_offset == container.data_start + entry.start
        assert found.n_bytes == entry.end - entry.start
    assert container.metadata.keys() == {name for name in theirs.fields if not name.startswith("GGUF.")}
    return True


@some
@given(content=containers())
def test_gguf_files_with_odd_counts_and_sizes_keep_to_the_limits_or_are_refused(path: Path, content: bytes) -> None:
    check_gguf(path, content)


@some
@given(
    content=containers(), at=numbers, word=st.one_of(ODD_SIZES, st.integers(0, 2**64 - 1)), size=st.sampled_from("BIQ")
)
def test_gguf_files_with_a_word_replaced_keep_to_the_limits_or_are_refused(
    path: Path, content: bytes, at: int, word: int, size: str
) -> None:
    start = at % len(content)
    patch = struct.pack("<Q", word)[: struct.calcsize(size)]
    check_gguf(path, content[:start] + patch + content[start + len(patch) :])


def test_sound_gguf_files_are_accepted(path: Path) -> None:
    two = [tensor("a", [32, 2], 8, 0), tensor("b", [4], 0, 96)]
    keys = [key("texts", ARRAY, array(TEXT, 2, text("é") + text("b"))), u32("n", 7)]
    assert check_gguf(path, Gguf(keys, two, bytes(112)).build())


@some
@given(number=numbers)
def test_any_config_is_refused_in_a_sentence_or_describes_a_model(number: int) -> None:
    """Case 22 and 23: whatever the values are, the sizes that follow from them can be told."""
    content = mutated(json.dumps(CONFIG).encode(), Random(number))
    assert content is not None
    values = json.loads(content)
    parsed = accepted(lambda: parse_config(values, Path("config.json"))) if isinstance(values, dict) else None
    if parsed is not None:
        assert 0 < parameters_total(parsed.config) < 2**62
        assert all(note.isprintable() for note in parsed.notes)


@some
@given(number=numbers)
def test_any_expert_profile_is_refused_in_a_sentence_or_counts_what_it_says(path: Path, number: int) -> None:
    content = mutated(seeds.profiles()[0], Random(number))
    assert content is not None
    path.write_bytes(content)
    profile = accepted(lambda: read_profile(path))
    if profile is not None:
        rates = [rate for layer in profile.layers for expert in layer.experts for rate in profile.rates(expert)]
        assert all(0.0 <= rate <= 1.0 for rate in rates)
