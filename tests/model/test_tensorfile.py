"""Our safetensors reader and writer against the safetensors library, in both directions, and faults while writing."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from model.problems import Problem
from model.tensorfile import NUMPY_DTYPES, TensorFile, read_header, write_tensors

TENSORS = {
    "floats": ("F32", np.arange(6, dtype=np.float32).reshape(2, 3)),
    "flags": ("BOOL", np.array([True, False, True])),
    "bits": ("BF16", np.array([0x3F80, 0xC000], dtype=np.uint16)),
    "halves": ("F16", np.ones((3, 1), dtype=np.float16)),
    "ids": ("I64", np.array([-1, 2**40])),
    "one": ("F64", np.array(2.5)),
    "none": ("I32", np.empty((0, 4), dtype=np.int32)),
    "名前": ("U8", np.arange(5, dtype=np.uint8)),
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "some.safetensors"


def test_what_is_written_is_read_back(path: Path) -> None:
    write_tensors(path, TENSORS, {"format": "pt", "note": "ü"})
    file = TensorFile(path)
    assert file.header.metadata == {"format": "pt", "note": "ü"}
    assert file.header.entries.keys() == TENSORS.keys()
    for name, (dtype, values) in TENSORS.items():
        assert file.header.entries[name].dtype == dtype
        assert file.header.entries[name].shape == values.shape
        assert np.array_equal(file.array(name), values)
        assert file.array(name).dtype == NUMPY_DTYPES[dtype]


def test_the_library_reads_what_we_write(path: Path) -> None:
    write_tensors(path, TENSORS, {"format": "pt"})
    with safe_open(path, framework="pt") as file:
        assert set(file.keys()) == TENSORS.keys()
        assert file.get_tensor("bits").tolist() == [1.0, -2.0]
        assert file.get_tensor("bits").dtype == torch.bfloat16
        assert file.get_tensor("one").item() == 2.5
        assert file.get_tensor("ids").tolist() == [-1, 2**40]
        assert file.get_tensor("none").shape == (0, 4)


def test_we_read_what_the_library_writes(path: Path) -> None:
    save_file({"a": torch.ones(2, 2, dtype=torch.bfloat16), "b": torch.arange(3)}, path, metadata={"format": "pt"})
    file = TensorFile(path)
    assert file.array("a").tolist() == [[0x3F80, 0x3F80]] * 2
    assert file.array("b").tolist() == [0, 1, 2]
    assert file.header.metadata == {"format": "pt"}


def test_a_file_of_nothing_is_sound(path: Path) -> None:
    write_tensors(path, {})
    assert TensorFile(path).header.entries == {}


def test_arrays_share_the_files_pages_and_cannot_be_written(path: Path) -> None:
    write_tensors(path, TENSORS)
    file = TensorFile(path)
    array = file.array("floats")
    assert np.shares_memory(array, file.raw("floats"))
    with pytest.raises(ValueError, match="read-only"):
        array[0, 0] = 7.0


def test_writing_to_raw_bytes_never_reaches_the_file(path: Path) -> None:
    write_tensors(path, TENSORS)
    before = path.read_bytes()
    TensorFile(path).raw("floats")[:] = 255
    assert path.read_bytes() == before


def test_tensors_start_at_multiples_of_their_element_size(path: Path) -> None:
    write_tensors(path, TENSORS)
    header = read_header(path)
    for entry in header.entries.values():
        assert (header.data_start + entry.start) % NUMPY_DTYPES[entry.dtype].itemsize == 0


def test_non_contiguous_values_are_written_in_order(path: Path) -> None:
    values = np.arange(12, dtype=np.float32).reshape(3, 4).T
    write_tensors(path, {"turned": ("F32", values)})
    assert np.array_equal(TensorFile(path).array("turned"), values)


@pytest.mark.parametrize("call", ["write", "fsync", "replace"])
def test_a_failed_write_leaves_the_old_file_whole(path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    write_tensors(path, TENSORS)
    before = path.read_bytes()

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    match call:
        case "fsync":
            monkeypatch.setattr(os, "fsync", fail)
        case "replace":
            monkeypatch.setattr(Path, "replace", fail)
        case _:
            monkeypatch.setattr(Path, "open", fail)
    with pytest.raises(Problem, match="No space left on device"):
        write_tensors(path, {"other": ("U8", np.zeros(3, dtype=np.uint8))})
    monkeypatch.undo()
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(Problem, match="cannot be written"):
        write_tensors(tmp_path / "none" / "x.safetensors", {})


# ---- differential: whatever we accept, the library accepts --------------------------------------------------------

scalar = st.one_of(st.integers(-3, 9), st.sampled_from([2**31, 2**62, 2**64, True, None, 1.0, 1.5, "4", "-0"]))
offsets = st.lists(st.integers(-1, 24), min_size=1, max_size=3)
entry = st.fixed_dictionaries(
    {
        "dtype": st.sampled_from([*NUMPY_DTYPES, "F31", "f32", 3]),
        "shape": st.one_of(st.lists(st.integers(0, 4), max_size=3), st.lists(scalar, max_size=10)),
        "data_offsets": offsets,
    },
    optional={"extra": st.none()},
)


@st.composite
def sound(draw: st.DrawFn) -> tuple[dict[str, object], int]:
    """A header without a fault, and the bytes of data it needs."""
    header: dict[str, object] = {}
    end = 0
    for number in range(draw(st.integers(0, 4))):
        dtype = draw(st.sampled_from(sorted(NUMPY_DTYPES)))
        shape = draw(st.lists(st.integers(0, 3), max_size=3))
        start, end = end, end + int(np.prod(shape, dtype=np.int64)) * NUMPY_DTYPES[dtype].itemsize
        header[f"t{number}"] = {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}
    return header, end


def verdicts(path: Path, text: bytes, data: int, length: int | None = None) -> tuple[bool, bool]:
    """Whether we accept such a file, and whether the library does."""
    path.write_bytes((len(text) if length is None else length).to_bytes(8, "little") + text + bytes(data))
    try:
        read_header(path)
        ours = True
    except Problem:
        ours = False
    try:
        with safe_open(path, framework="np"):
            return ours, True
    except (SafetensorError, OSError):
        return ours, False


@settings(deadline=None, max_examples=150)
@given(made=sound(), padding=st.integers(0, 3))
def test_sound_headers_are_accepted(tmp_path_factory: pytest.TempPathFactory, made, padding: int) -> None:
    header, data = made
    path = tmp_path_factory.getbasetemp() / "sound.safetensors"
    assert verdicts(path, json.dumps(header).encode() + b" " * padding, data) == (True, True)


@settings(deadline=None, max_examples=300)
@given(
    made=sound(),
    name=st.one_of(st.sampled_from(["t0", "t1", "__metadata__"]), st.text(max_size=4)),
    broken=st.one_of(entry, scalar, st.dictionaries(st.text(max_size=2), st.one_of(st.text(max_size=2), scalar))),
    surplus=st.integers(-2, 2),
    cut=st.one_of(st.none(), st.integers(0, 60)),
)
def test_we_accept_nothing_that_the_library_refuses(
    tmp_path_factory: pytest.TempPathFactory, made, name: str, broken: object, surplus: int, cut: int | None
) -> None:
    header, data = made
    text = json.dumps(header | {name: broken}).encode()
    path = tmp_path_factory.getbasetemp() / "broken.safetensors"
    ours, library = verdicts(path, text, max(data + surplus, 0), cut)
    assert library or not ours
    again, library = verdicts(path, json.dumps(header).encode(), max(data + surplus, 0), cut)
    assert library or not again


@pytest.mark.parametrize(
    "text",
    [
        b'{"a":{"dtype":"U8","shape":[-0],"data_offsets":[0,0]}}',
        b'{"a":{"dtype":"U8","shape":[1e0],"data_offsets":[0,1]}}',
        b'{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1],}}',
        b'{"__metadata__":{"a":1}}',
        b'{"__metadata__":[]}',
        b'{"a":{"dtype":"U8","shape":[1],"shape":[1],"data_offsets":[0,1]}}',
        b'{"\\ud800":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}',
        b'{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}} x',
    ],
)
def test_odd_spellings_that_the_library_refuses_are_refused(path: Path, text: bytes) -> None:
    data = 1 if b"[0,1]" in text else 0
    assert verdicts(path, text, data) == (False, False)
