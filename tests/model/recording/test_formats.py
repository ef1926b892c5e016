"""Run folders of an older format: what they lack is what it would have been, and nothing else changes."""

import json
from pathlib import Path

import numpy as np

from model.recording.chunk_file import digest
from model.recording.columns import SINCE_FORMAT_2
from model.recording.recording import Recording
from model.tensorfile import TensorFile, write_tensors
from tests.model.recording.runs import every_column, record


def as_format_1(folder: Path) -> None:
    """Rewrite a run folder the way the first version of this program wrote it."""
    manifest = json.loads((folder / "manifest.json").read_text())
    for entry in manifest["chunks"]:
        path = folder / entry["name"]
        file = TensorFile(path)
        stored = {
            name: (file.header.entries[name].dtype, file.array(name).copy())
            for name in file.header.entries
            if name not in SINCE_FORMAT_2
        }
        entry["sha256"] = digest(stored)
        write_tensors(path, stored, file.header.metadata | {"sha256": entry["sha256"]})
    (folder / "manifest.json").write_text(json.dumps(manifest | {"format": 1}))


def test_a_folder_of_format_1_opens_with_zeros_for_the_columns_it_lacks(tmp_path: Path) -> None:
    live, _ = record(tmp_path, [5, 300, 1, 1])
    expected = every_column(live)
    as_format_1(tmp_path)
    opened = Recording.open(tmp_path)
    assert opened.notes == []
    assert every_column(opened) == expected
    for name in SINCE_FORMAT_2:
        assert np.array_equal(opened.light(name), np.zeros(4, np.int64))


def test_a_folder_of_format_1_may_not_hold_columns_of_format_2(tmp_path: Path) -> None:
    record(tmp_path, [5])
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    (tmp_path / "manifest.json").write_text(json.dumps(manifest | {"format": 1}))
    assert any("expert_hits" in note or "bytes_read" in note for note in Recording.open(tmp_path).notes)


def test_a_new_folder_names_format_2_and_keeps_the_counters_on_disk(tmp_path: Path) -> None:
    record(tmp_path, [5])
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest["format"] == 2
    assert set(SINCE_FORMAT_2) <= TensorFile(tmp_path / manifest["chunks"][0]["name"]).header.entries.keys()
