"""Machine code finds a place on any disk."""

from pathlib import Path

import pytest

from model.network.cpu_decode.cache_folder import cache_folder


def test_a_source_tree_that_cannot_be_written_leads_to_the_users_caches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "home"))
    wall = tmp_path / "file"
    wall.write_text("not a folder")
    folder = cache_folder("kernels-b", beside=wall, home=tmp_path / "home")
    assert folder.is_dir()
    assert folder.is_relative_to(tmp_path / "home")


def test_other_versions_are_deleted(tmp_path: Path) -> None:
    old = cache_folder("kernels-a", beside=tmp_path)
    (old / "code.nbc").touch()
    new = cache_folder("kernels-b", beside=tmp_path)
    assert new.is_dir()
    assert not old.exists()
