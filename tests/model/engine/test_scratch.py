import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from model.engine.scratch import Scratch


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_runs_without_a_folder_go_with_the_engine(temporary: Path) -> None:
    scratch = Scratch()
    scratch.folder("run-1").mkdir()
    assert len(list(temporary.iterdir())) == 1
    scratch.close()
    scratch.close()
    assert not list(temporary.iterdir())


def test_what_dead_windows_left_is_removed_and_nothing_else(temporary: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    names = [f"latent-loupe-{dead.pid}-left", f"latent-loupe-{os.getpid()}-live", "latent-loupe-other", "other"]
    for name in names:
        (temporary / name).mkdir()
    scratch = Scratch()
    kept = scratch.folder("run-1").parent.name
    assert sorted(entry.name for entry in temporary.iterdir()) == sorted([*names[1:], kept])
    scratch.close()
