"""Run folders from anywhere: damaged ones give their good prefix, dishonest ones are refused in a sentence."""

import json
import os
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.problems import Problem
from model.recording.chunk_file import digest
from model.recording.projections import Projections
from model.recording.recording import Recording
from model.tensorfile import TensorFile, write_tensors
from tests.model.recording.runs import record

SIZES = (512, 60, 1)
LAST = "chunk-000002-0061.safetensors"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    record(tmp_path / "run", SIZES)
    return tmp_path / "run"


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-2000] ^= 4
    path.write_bytes(content)


def link(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to(path.with_name("elsewhere"))


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize("damage", [Path.unlink, cut, flip, link, pipe])
def test_case_59_a_damaged_last_chunk_leaves_the_chunks_before_it(run: Path, damage: Callable[[Path], Any]) -> None:
    whole = Recording.open(run)
    damage(run / LAST)
    opened = Recording.open(run)
    assert opened.texts() == whole.texts(0, 512)
    assert np.array_equal(opened.heavy("c_kv", layer_row=2), whole.heavy("c_kv", layer_row=2, end=512))
    assert opened.notes[0].startswith("recovered 512 of 573 tokens")


def test_case_59_a_damaged_middle_chunk_ends_the_good_prefix_there(run: Path) -> None:
    flip(run / "chunk-000001-0256.safetensors")
    opened = Recording.open(run)
    assert opened.tokens == 256
    assert opened.notes[0].startswith("recovered 256 of 573 tokens: ")


def test_case_59_a_chunk_that_the_manifest_does_not_know_yet_is_recovered(run: Path) -> None:
    whole = Recording.open(run)
    manifest = json.loads((run / "manifest.json").read_text())
    manifest["chunks"].pop()
    manifest["finish"] = None
    (run / "manifest.json").write_text(json.dumps(manifest))
    opened = Recording.open(run)
    assert opened.texts() == whole.texts()
    assert opened.notes == ["the run was cut off; all 573 recorded tokens were recovered"]


def test_case_59_a_torn_fuller_tail_falls_back_to_the_older_one(run: Path) -> None:
    fuller = run / "chunk-000002-0099.safetensors"
    fuller.write_bytes((run / LAST).read_bytes()[:500])
    opened = Recording.open(run)
    assert opened.tokens == 573
    assert opened.notes[0].startswith("recovered 573 of 611 tokens")


LONGROPE = {"short_factors": [1.0], "long_factors": [1.0], "original_max_position_embeddings": 64}
MANIFESTS: dict[str, tuple[tuple[str | int, ...], Any, str]] = {
    "newer format": (("format",), 7, "has format 7, and this program reads up to format 2"),
    "no format": (("format",), "1", "does not name its format"),
    "path": (("chunks", 0, "name"), "../chunk-000000-0256.safetensors", "is not the name of a chunk"),
    "absolute path": (("chunks", 0, "name"), "/etc/passwd", "is not the name of a chunk"),
    "line end": (("chunks", 0, "name"), "chunk-000000-0256.safetensors\n", "is not the name of a chunk"),
    "other chunk": (("chunks", 0, "name"), "chunk-000001-0256.safetensors", "chunk 0 is called"),
    "many tokens": (("chunks", 2, "tokens"), [512, 10**9], "chunk 2 claims the tokens"),
    "backwards": (("chunks", 2, "tokens"), [512, 512], "chunk 2 claims the tokens"),
    "huge number": (("chunks", 2, "tokens"), [512, 10**30], "more than 64 bits"),
    "huge layer count": (("info", "config", "layers"), 10**6, "1000000 layers"),
    "huge width": (("info", "config", "kv_lora_rank"), 2**40, "kv_lora_rank is 1099511627776"),
    "negative width": (("info", "config", "heads"), -1, "heads is -1"),
    "layer outside": (("info", "config", "moe_layers"), [1, 9], "moe_layers"),
    "no router": (("info", "config", "router"), None, "only make sense together"),
    "experts": (("info", "config", "router", "experts_per_token"), 9, "9 of 8 experts"),
    "groups": (("info", "config", "router", "groups"), 3, "groups of 8 experts"),
    "dtype": (("info", "dtype"), "int4", "the dtype 'int4' is unknown"),
    "rope": (("info", "config", "rope", "theta"), 0.0, "rotary frequencies make no sense"),
    "too few LongRoPE factors": (("info", "config", "rope", "longrope"), LONGROPE, "1 rotary factors for a width of 4"),
    "no LongRoPE factor": (
        ("info", "config", "rope", "longrope"),
        LONGROPE | {"short_factors": [1.0, 2.0], "long_factors": [1.0, 0.0]},
        "rotary frequencies make no sense",
    ),
    "temperature from the first token on": (
        ("info", "config", "query_temperature"),
        {"beta": 0.1, "original_max_position_embeddings": 0},
        "the original context is 0 tokens",
    ),
    "no expert with weights": (("info", "config", "router", "zero_experts"), 8, "8 of 8 experts without weights"),
    "huge seed": (("info", "sampling", "seed"), 2**64, "more than 64 bits"),
    "type": (("info",), [], "is damaged"),
}


@pytest.mark.parametrize("case", MANIFESTS)
def test_case_59_a_dishonest_manifest_is_refused_in_one_sentence(run: Path, case: str) -> None:
    keys, value, message = MANIFESTS[case]
    manifest = json.loads((run / "manifest.json").read_text())
    target = manifest
    for key in keys[:-1]:
        target = target[key]
    target[keys[-1]] = value
    (run / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(Problem) as refused:
        Recording.open(run)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff", b"[" * 100_000, b'{"format": 1}', b'{"format": NaN}'])
def test_case_59_what_is_no_manifest_is_refused(run: Path, content: bytes) -> None:
    (run / "manifest.json").write_bytes(content)
    with pytest.raises(Problem, match=r"manifest\.json"):
        Recording.open(run)


def test_case_59_a_manifest_may_not_be_a_link_or_a_pipe_or_missing(run: Path) -> None:
    link(run / "manifest.json")
    with pytest.raises(Problem, match="is a link"):
        Recording.open(run)
    pipe(run / "manifest.json")
    with pytest.raises(Problem, match="not a regular file"):
        Recording.open(run)
    (run / "manifest.json").unlink()
    with pytest.raises(Problem, match="is not a recording"):
        Recording.open(run)


def test_case_59_other_files_in_the_folder_are_left_alone(run: Path) -> None:
    for name in (
        "notes.txt",
        "chunk-000003-9999.safetensors",
        "chunk-1-1.safetensors",
        "chunk-000003-0000.safetensors",
    ):
        (run / name).write_text("mine")
    assert Recording.open(run).notes == []


FORGED: dict[str, tuple[str, np.ndarray[Any, Any] | None]] = {
    "wrong width": ("c_kv", np.zeros((3, 61, 11), np.float32)),
    "wrong count": ("ids", np.zeros(60, np.int32)),
    "missing": ("margins", None),
    "unknown": ("surprise", np.zeros(3, np.int32)),
    "expert outside": ("expert_ids", np.full((61, 2, 3), 8, np.int16)),
    "negative expert": ("expert_ids", np.full((61, 2, 3), -1, np.int16)),
    "text ends backwards": ("texts_ends", np.arange(61, 0, -1).astype(np.int32)),
    "text ends outside": ("texts_ends", np.arange(61).astype(np.int32) * 100),
}
NAMES = {"int16": "I16", "int32": "I32", "float32": "F32"}


@pytest.mark.parametrize("case", FORGED)
def test_case_59_a_forged_chunk_with_a_right_checksum_is_not_believed(run: Path, case: str) -> None:
    name, values = FORGED[case]
    file = TensorFile(run / LAST)
    tensors = {key: (entry.dtype, file.array(key).copy()) for key, entry in file.header.entries.items()}
    tensors.pop(name, None)
    if values is not None:
        tensors[name] = (NAMES[values.dtype.name], values)
    sha = digest(tensors)
    write_tensors(run / LAST, tensors, {**file.header.metadata, "sha256": sha})
    manifest = json.loads((run / "manifest.json").read_text())
    manifest["chunks"][2]["sha256"] = sha
    (run / "manifest.json").write_text(json.dumps(manifest))
    opened = Recording.open(run)
    assert opened.tokens == 512
    assert opened.notes[0].startswith("recovered 512 of 573 tokens")


@settings(max_examples=60, deadline=None)
@given(where=st.floats(0, 1), byte=st.integers(0, 255), file=st.sampled_from(["manifest.json", LAST]))
def test_case_59_any_changed_byte_is_refused_or_harmless(
    tmp_path_factory: pytest.TempPathFactory, where: float, byte: int, file: str
) -> None:
    run = tmp_path_factory.mktemp("run")
    recorded, _ = record(run, SIZES)
    content = bytearray((run / file).read_bytes())
    content[int(where * (len(content) - 1))] = byte
    (run / file).write_bytes(content)
    try:
        opened = Recording.open(run)
    except Problem:
        return
    assert opened.tokens == 573 or "of 573 tokens" in opened.notes[-1]
    assert opened.texts() == recorded.texts(0, opened.tokens)


def test_case_63_a_link_in_the_place_of_the_projections_is_not_followed(run: Path) -> None:
    info = Recording.open(run).info
    (run / "projections.safetensors").unlink(missing_ok=True)
    (run / "projections.safetensors").symlink_to("/dev/zero")
    with pytest.raises(Problem, match="is a link, and a recording may not point elsewhere"):
        Projections.open(run, info.config)


@pytest.mark.parametrize("name", ["manifest.json", LAST])
def test_case_63_a_small_file_that_claims_a_terabyte_takes_neither_time_nor_memory(run: Path, name: str) -> None:
    """Holes: bytes that are not on the disk."""
    os.truncate(run / name, 2**40)
    tracemalloc.start()
    began = time.thread_time()
    try:
        told = Recording.open(run).notes[0]
    except Problem as problem:
        told = str(problem)
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert ("recovered 512 of 573 tokens" if name == LAST else "larger than") in told
    assert time.thread_time() - began < 5
    assert peak < 200 * 2**20


def test_case_63_texts_of_a_gigabyte_in_a_chunk_are_not_read(run: Path) -> None:
    file = TensorFile(run / LAST)
    size = 2**30
    header = {
        name: {"dtype": entry.dtype, "shape": list(entry.shape), "data_offsets": [entry.start, entry.end]}
        for name, entry in file.header.entries.items()
    }
    end = max(entry.end for entry in file.header.entries.values())
    del header["texts"]
    texts = file.header.entries["texts"]
    for fields in header.values():
        offsets = fields["data_offsets"]
        if offsets[0] > texts.start:
            fields["data_offsets"] = [offset - (texts.end - texts.start) for offset in offsets]
    start = end - (texts.end - texts.start)
    header["texts"] = {"dtype": "U8", "shape": [size], "data_offsets": [start, start + size]}
    content = json.dumps({**header, "__metadata__": file.header.metadata}).encode()
    (run / LAST).write_bytes(len(content).to_bytes(8, "little") + content)
    os.truncate(run / LAST, 8 + len(content) + start + size)
    began = time.thread_time()
    opened = Recording.open(run)
    assert time.thread_time() - began < 5
    assert opened.tokens == 512
    assert "texts 'texts' are not at most 16,777,216 bytes" in opened.notes[0]


@pytest.mark.parametrize(
    "content", [b"PK\x03\x04" + bytes(100), b"\x1f\x8b" + bytes(100), b"\x28\xb5\x2f\xfd" + bytes(9)]
)
def test_case_63_an_archive_is_no_recording_and_is_not_unpacked(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "run.zip").write_bytes(content)
    with pytest.raises(Problem, match=r"run\.zip"):
        Recording.open(tmp_path / "run.zip")


def test_case_63_a_link_to_a_folder_of_chunks_gives_only_what_is_in_it(run: Path, tmp_path: Path) -> None:
    for path in run.glob("chunk-*"):
        elsewhere = tmp_path / path.name
        path.rename(elsewhere)
        path.symlink_to(elsewhere)
    opened = Recording.open(run)
    assert opened.tokens == 0
    assert opened.notes[0].startswith("recovered 0 of 573 tokens")
