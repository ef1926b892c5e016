"""The GGUF container: what the gguf package writes comes back, and every lie in a header is refused by its name."""

import os
import struct
import time
from pathlib import Path

import numpy as np
import pytest
from gguf import GGMLQuantizationType, GGUFWriter

from model.checkpoint.gguf.container import read_container
from model.problems import Problem
from model.tensorfile import TENSOR_LIMIT, Entry
from tests.model.checkpoint.gguf.hand import ARRAY, BOOL, F32, TEXT, U32, Gguf, array, key, tensor, text, u32

FLOATS = 0  # ggml's number of F32


def written(folder: Path, gguf: Gguf) -> Path:
    path = folder / "x.gguf"
    path.write_bytes(gguf.build())
    return path


def test_what_the_gguf_package_writes_comes_back(tmp_path: Path) -> None:
    writer = GGUFWriter(tmp_path / "x.gguf", "deepseek2")
    writer.add_block_count(7)
    writer.add_float32("a.float", 1.5)
    writer.add_bool("a.flag", True)
    writer.add_array("a.texts", ["é", "b"])
    writer.add_array("a.numbers", [1, -2, 3])
    writer.add_tensor("first", np.arange(6, dtype=np.float32).reshape(2, 3))
    writer.add_tensor("second", np.zeros((2, 34), np.uint8), raw_dtype=GGMLQuantizationType.Q8_0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    container = read_container(tmp_path / "x.gguf")
    assert container.metadata["deepseek2.block_count"] == 7
    assert container.metadata["a.float"] == 1.5
    assert container.metadata["a.flag"] is True
    assert container.metadata["a.texts"] == ["é", "b"]
    assert np.array_equal(container.metadata["a.numbers"], [1, -2, 3])  # type: ignore[arg-type]  # an array by the writer's hand
    assert container.tensors == {"first": Entry("F32", (2, 3), 0, 24), "second": Entry("Q8_0", (2, 32), 32, 100)}
    content = (tmp_path / "x.gguf").read_bytes()
    assert len(content) == container.file_bytes
    values = np.frombuffer(content, np.float32, 6, offset=container.data_start)
    assert np.array_equal(values, np.arange(6))


def test_both_versions_and_other_alignments_are_read(tmp_path: Path) -> None:
    for version in (2, 3):
        gguf = Gguf(
            [u32("general.alignment", 64)], [tensor("x", [4], FLOATS, 0)], bytes(16), version=version, alignment=64
        )
        container = read_container(written(tmp_path, gguf))
        assert container.data_start % 64 == 0
        assert container.tensors["x"] == Entry("F32", (4,), 0, 16)


def test_the_digest_sees_every_byte_of_the_front_and_none_of_the_data(tmp_path: Path) -> None:
    first = Gguf([u32("a", 1)], [tensor("x", [4], FLOATS, 0)], bytes(16))
    other_data = Gguf(first.keys, first.tensors, b"\1" * 16)
    other_key = Gguf([u32("a", 2)], first.tensors, first.data)
    digests = [read_container(written(tmp_path, gguf)).digest for gguf in (first, other_data, other_key)]
    assert digests[0] == digests[1] != digests[2]


def test_flags_are_booleans_and_broken_utf8_is_marked(tmp_path: Path) -> None:
    keys = [key("flags", ARRAY, array(BOOL, 3, b"\0\1\2")), key("text", TEXT, text(b"a\xff"))]
    metadata = read_container(written(tmp_path, Gguf(keys))).metadata
    assert np.array_equal(metadata["flags"], [False, True, True])  # type: ignore[arg-type]  # an array by construction
    assert metadata["text"] == "a\ufffd"


HUGE = 2**63
ONE = [tensor("x", [4], FLOATS, 0)]
BAD: dict[str, tuple[Gguf | bytes, str]] = {
    "empty": (b"", "not a GGUF file"),
    "magic alone": (b"GGUF", "not a GGUF file"),
    "another magic": (Gguf(magic=b"GGUG"), "not a GGUF file"),
    "version 1": (Gguf(version=1), "GGUF version 1"),
    "version 4": (Gguf(version=4), "GGUF version 4"),
    "big-endian": (Gguf(version=3 << 24), "big-endian"),
    "2**63 keys": (Gguf(key_count=HUGE), "at most 10,000 are read"),
    "more keys than fit": (Gguf(key_count=9_999), "more than fit into it"),
    "2**64 − 1 tensors": (Gguf(tensor_count=2**64 - 1), f"at most {TENSOR_LIMIT:,} are read"),
    "more tensors than fit": (Gguf(tensor_count=100_000), "more than fit into it"),
    "a key twice": (Gguf([u32("a", 1), u32("a", 2)]), "'a' appears twice"),
    "an empty key": (Gguf([u32("", 1)]), "is empty"),
    "a key with a line break": (Gguf([u32("a\nb", 1)]), "'a\\nb'"),
    "a key of a gigabyte": (Gguf([struct.pack("<Q", 2**30) + bytes(64)]), "at most 512 are read"),
    "a text longer than the file": (Gguf([key("a", TEXT, struct.pack("<Q", 1000))]), "ends within its header"),
    "a text of 2**63 bytes": (Gguf([key("a", TEXT, struct.pack("<Q", HUGE))]), "at most 1,048,576 are read"),
    "a value of unknown type": (Gguf([key("a", 13, bytes(8))]), "unknown type 13"),
    "an array of 2**63 numbers": (Gguf([key("a", ARRAY, array(F32, HUGE, b""))]), "more than fit"),
    "an array of 2**63 texts": (Gguf([key("a", ARRAY, array(TEXT, HUGE, b""))]), "more than are read or fit"),
    "an array of unknown type": (Gguf([key("a", ARRAY, array(99, 1, bytes(8)))]), "unknown type 99"),
    "arrays within arrays within arrays": (
        Gguf([key("a", ARRAY, array(ARRAY, 1, array(ARRAY, 1, array(U32, 1, bytes(4)))))]),
        "nested more than once",
    ),
    "1,001 arrays in an array": (
        Gguf([key("a", ARRAY, array(ARRAY, 1_001, array(U32, 0, b"") * 1_001))]),
        "more than are read",
    ),
    "alignment 0": (Gguf([u32("general.alignment", 0)]), "general.alignment is 0"),
    "alignment 48": (Gguf([u32("general.alignment", 48)]), "general.alignment is 48"),
    "alignment 2**31": (Gguf([u32("general.alignment", 2**31)]), "general.alignment is 2147483648"),
    "a tensor twice": (Gguf(tensors=ONE * 2, data=bytes(64)), "'x' is listed twice"),
    "rank 0": (Gguf(tensors=[tensor("x", [], FLOATS, 0)]), "0 dimensions"),
    "rank 5": (Gguf(tensors=[tensor("x", [1] * 5, FLOATS, 0)]), "5 dimensions"),
    "rank 2**32 − 1": (Gguf(tensors=[tensor("x", [1], FLOATS, 0, rank=2**32 - 1)]), "4,294,967,295 dimensions"),
    "dimension 0": (Gguf(tensors=[tensor("x", [4, 0], FLOATS, 0)]), "a dimension that is not from 1"),
    "dimension 2**63": (Gguf(tensors=[tensor("x", [HUGE], FLOATS, 0)]), "a dimension that is not from 1"),
    "sizes that overflow": (Gguf(tensors=[tensor("x", [2**31] * 4, FLOATS, 0)]), "impossible size"),
    "an unknown type": (Gguf(tensors=[tensor("x", [4], 4, 0)]), "unknown type 4"),
    "rows that are no whole blocks": (Gguf(tensors=[tensor("x", [40], 8, 0)]), "no multiple of Q8_0's blocks of 32"),
    "a start off the alignment": (Gguf(tensors=[tensor("x", [4], FLOATS, 8)], data=bytes(64)), "no multiple of 32"),
    "a hole": (Gguf(tensors=[tensor("x", [4], FLOATS, 32)], data=bytes(64)), "starts at byte 32, where 0 was due"),
    "an overlap": (
        Gguf(tensors=[tensor("x", [16], FLOATS, 0), tensor("y", [4], FLOATS, 32)], data=bytes(96)),
        "'y' starts at byte 32, where 64 was due",
    ),
    "data cut off": (Gguf(tensors=[tensor("x", [400], FLOATS, 0)], data=bytes(64)), "is cut off: it has"),
    "a tensor name of a megabyte": (Gguf(tensors=[tensor("n" * 2**20, [4], FLOATS, 0)]), "at most 512 are read"),
    "a tensor name with a NUL": (Gguf(tensors=[tensor("a\0b", [4], FLOATS, 0)], data=bytes(16)), "'a\\x00b'"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_refused_with_its_cause(name: str, tmp_path: Path) -> None:
    content, phrase = BAD[name]
    path = tmp_path / "bad.gguf"
    path.write_bytes(content if isinstance(content, bytes) else content.build())
    start = time.thread_time()
    with pytest.raises(Problem) as refusal:
        read_container(path)
    sentence = str(refusal.value)
    assert phrase in sentence
    assert str(path) in sentence
    assert sentence.endswith(".")
    assert sentence.isprintable()
    assert time.thread_time() - start < 2


def test_every_shorter_file_is_refused(tmp_path: Path) -> None:
    texts = key("texts", ARRAY, array(TEXT, 2, text("a") + text("b")))
    content = Gguf([u32("a", 1), texts], [tensor("x", [4], FLOATS, 0)], bytes(16)).build()
    path = tmp_path / "cut.gguf"
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(Problem):
            read_container(path)


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.gguf")
    with pytest.raises(Problem, match="not a regular file"):
        read_container(tmp_path / "pipe.gguf")
