"""The gate for outside files: nothing waits, nothing is read beyond its limit, JSON says one thing only."""

import os
from pathlib import Path

import pytest

from model.outside import JSON_DEPTH_LIMIT, open_regular, parse_json, read_bounded, read_json_object
from model.problems import Problem


def test_a_file_is_read_up_to_its_limit(tmp_path: Path) -> None:
    path = tmp_path / "some.json"
    path.write_bytes(b"x" * 100)
    assert read_bounded(path, limit=100) == b"x" * 100
    with pytest.raises(Problem, match="larger than 99 bytes"):
        read_bounded(path, limit=99)


@pytest.mark.parametrize("path", ["/dev/zero", "/dev/null", "/"])
def test_devices_and_folders_are_no_files(path: str) -> None:
    with pytest.raises(Problem, match="not a regular file"):
        read_bounded(Path(path), limit=10)


def test_a_pipe_that_nobody_writes_to_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(Problem, match="not a regular file"):
        open_regular(tmp_path / "pipe")


def test_refusing_leaves_no_descriptor_open(tmp_path: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        with pytest.raises(Problem):
            open_regular(tmp_path)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b'{"a": [1, -2.5e3, "\\u00e9", null, true]}', {"a": [1, -2500.0, "é", None, True]}),
        (b" [] ", []),
        (b'"\\ud83d\\udc4b \\\\ud800"', "👋 \\ud800"),
    ],
)
def test_ordinary_json_is_read(text: bytes, value: object) -> None:
    assert parse_json(text, where="it") == value


def test_depth_is_limited_exactly() -> None:
    def nested(depth: int) -> bytes:
        return b"[" * depth + b"]" * depth

    parse_json(nested(JSON_DEPTH_LIMIT), where="it")
    with pytest.raises(Problem, match="nested too deeply"):
        parse_json(nested(JSON_DEPTH_LIMIT + 1), where="it")


@pytest.mark.parametrize(
    "text",
    [
        b"NaN",
        b"[Infinity]",
        b"1e999",
        b'{"a":1,"a":1}',
        b'{"b":{"a":1,"a":2}}',
        b"\xff",
        b"",
        b"{}x",
        b"'a'",
        b'["\\ud83d"]',
        b'{"\\uDC4B":1}',
        b'"\\ud83d \\udc4b"',
    ],
)
def test_what_two_readers_could_understand_differently_is_refused(text: bytes) -> None:
    with pytest.raises(Problem, match="it is not valid JSON"):
        parse_json(text, where="it")


def test_an_object_is_asked_for_by_name(tmp_path: Path) -> None:
    (tmp_path / "list.json").write_text("[1]")
    with pytest.raises(Problem, match=r"list\.json does not hold a JSON object"):
        read_json_object(tmp_path / "list.json", limit=100)
