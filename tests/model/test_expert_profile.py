"""The profile's file: written whole, read with suspicion."""

import json
from pathlib import Path

import pytest

from model.expert_profile import (
    ExpertCounts,
    ExpertProfile,
    LayerProfile,
    TypicalToken,
    read_profile,
    write_profile,
)
from model.problems import Problem

PROFILE = ExpertProfile(
    model="tiny",
    fingerprint="f",
    texts="two texts",
    domains=["en", "中文"],
    domain_tokens=[100, 50],
    layers=[
        LayerProfile(1, [ExpertCounts([80, 10], [TypicalToken(" the", 30, 40, 2.5, 6.1)]), ExpertCounts([20, 40], [])])
    ],
)


def test_a_profile_comes_back_as_it_was_written(tmp_path: Path):
    write_profile(PROFILE, tmp_path / "deep" / "experts.json")
    assert read_profile(tmp_path / "deep" / "experts.json") == PROFILE
    assert [file.name for file in (tmp_path / "deep").iterdir()] == ["experts.json"]


def test_rates_and_totals_are_counts_over_tokens():
    expert = PROFILE.layers[0].experts[0]
    assert PROFILE.tokens == 150
    assert expert.tokens == 90
    assert PROFILE.rates(expert) == [0.8, 0.2]
    assert PROFILE.layer(1) is PROFILE.layers[0]
    assert PROFILE.layer(0) is None


def changed(path: Path, *keys: str | int, value: object) -> Path:
    write_profile(PROFILE, path)
    content = json.loads(path.read_text(encoding="utf-8"))
    place = content
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = value
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("keys", "value", "word"),
    [
        (("format",), 2, "format 2"),
        (("domains",), [], "domains"),
        (("domain_tokens",), [100, 0], "domains"),
        (("model",), "x" * 10_000, "name"),
        (("layers", 0, "experts", 0, "domains"), [101, 0], "counts of layer 1"),
        (("layers", 0, "experts", 0, "domains"), [-1, 0], "counts of layer 1"),
        (("layers", 0, "experts", 0, "domains"), [1], "counts of layer 1"),
        (("layers", 0, "experts", 0, "typical"), [["a", 2, 1, 1.0, 1.0]], "typical tokens of layer 1"),
        (("layers", 0, "experts", 0, "typical"), [["a" * 99, 1, 1, 1.0, 1.0]], "typical tokens of layer 1"),
        (("layers", 0, "experts", 0, "typical"), "all", "typical"),
        (("layers",), None, "layers"),
    ],
)
def test_a_file_that_contradicts_itself_is_refused(tmp_path: Path, keys: tuple, value: object, word: str):
    file = changed(tmp_path / "experts.json", *keys, value=value)
    with pytest.raises(Problem, match=word) as refused:
        read_profile(file)
    assert "make it again" in str(refused.value)


@pytest.mark.parametrize("content", [b"", b"[" * 100_000, b"\xff\xfe", b"{}", b"null"])
def test_what_is_no_profile_is_refused(tmp_path: Path, content: bytes):
    (tmp_path / "experts.json").write_bytes(content)
    with pytest.raises(Problem, match=r"experts\.json"):
        read_profile(tmp_path / "experts.json")


def test_a_place_that_cannot_be_written_is_a_problem(tmp_path: Path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(Problem, match="cannot be written"):
        write_profile(PROFILE, tmp_path / "file" / "experts.json")
