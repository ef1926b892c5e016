import json

import pytest

from model.training.facts import POINTS, history


@pytest.mark.parametrize("lines", [1, 5, POINTS, 200])
def test_a_history_keeps_its_ends_and_even_steps_between(tmp_path, lines):
    file = tmp_path / "history.jsonl"
    file.write_text("".join(json.dumps({"tokens": index}) + "\n" for index in range(lines)), encoding="utf-8")
    kept = [line["tokens"] for line in history(file)]
    assert len(kept) == min(lines, POINTS)
    assert kept[0] == 0
    assert kept[-1] == lines - 1


def test_no_history_is_an_empty_one(tmp_path):
    assert history(tmp_path / "history.jsonl") == []
