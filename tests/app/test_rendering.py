"""`render` draws a recording through the window's widgets, without a display."""

from pathlib import Path

import pytest
from PySide6.QtGui import QImage

from main import main
from tests.parity.tiny import make_checkpoint


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("render")
    make_checkpoint(folder / "model", "v2")
    command = ["record", "--checkpoint", str(folder / "model"), "--token-ids", "5,7,9,11", "--max-new-tokens", "8"]
    assert main([*command, "--out", str(folder / "run")]) == 0
    return folder / "run"


@pytest.mark.parametrize("view", ["attention", "routing", "load", "memory"])
def test_every_view_becomes_a_picture_of_the_wanted_size(run, tmp_path, capsys, view):
    out = tmp_path / f"{view}.png"
    assert main(["render", view, str(run), "--size", "800x500", "--scale", "2", "--out", str(out)]) == 0
    image = QImage(str(out))
    assert (image.width(), image.height()) == (1600, 1000)
    assert "layer" in capsys.readouterr().out


def test_a_selector_outside_the_run_is_one_sentence_and_status_2(run, tmp_path, capsys):
    for wrong in (["--devices", "9"], ["--layer", "9"], ["--head", "4"], ["--queries", "0:99"], ["--scale", "9"]):
        assert main(["render", "attention", str(run), *wrong, "--out", str(tmp_path / "a.png")]) == 2
        assert len(capsys.readouterr().err.strip().splitlines()) == 1
    assert not (tmp_path / "a.png").exists()


def test_a_folder_that_is_no_recording_is_refused(tmp_path, capsys):
    assert main(["render", "memory", str(tmp_path), "--out", str(tmp_path / "a.png")]) == 2
    assert "manifest.json" in capsys.readouterr().err
