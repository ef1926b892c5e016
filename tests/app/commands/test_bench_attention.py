import json
from pathlib import Path

import pytest

from app.commands import conversation
from app.commands.attention_plot import Line, write_plot
from main import main
from tests.app.commands.threaded import ThreadedClient


@pytest.fixture(autouse=True)
def _threaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversation, "EngineClient", ThreadedClient)


def test_figures_come_with_peer_ratio_and_limit(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    plot = tmp_path / "times.svg"
    assert main(["bench", "attention", "--shape", "bundled", "--tokens", "1024", "--plot", str(plot), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    for name in ("first_picture", "rows_1024", "every_row"):
        one = told[f"{name}_1024"]
        assert set(one) == {"value", "unit", "peer", "ratio", "limit"}
        assert one["ratio"] == pytest.approx(one["peer"] / one["value"])
    assert told["needle_1024"]["value"] >= 0.5
    assert told["held_1024"]["value"] > 0
    assert told["all_thumbnails_1024"]["value"] >= told["first_thumbnail_1024"]["value"]
    assert "every row of one head" in plot.read_text()


def test_what_cannot_be_measured_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    for wrong in (["--tokens", "512"], ["--shape", "tiny"]):
        assert main(["bench", "attention", *wrong]) != 0
    assert "1,024" in capsys.readouterr().err


def test_names_in_a_plot_do_not_overlap(tmp_path: Path) -> None:
    write_plot(tmp_path / "p.svg", [Line("a", [(1, 1), (10, 5)]), Line("b & c", [(1, 2), (10, 5)])], x="t", y="s")
    text = (tmp_path / "p.svg").read_text()
    assert "b &amp; c" in text
    ends = [float(line.split("y='")[1].split("'")[0]) for line in text.splitlines() if ">a<" in line or "amp" in line]
    assert abs(ends[0] - ends[1]) >= 16
