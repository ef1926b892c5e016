"""Settings survive a restart, a damaged file and a full disk."""

import pytest
from PySide6.QtCore import QSaveFile

from app.settings import Settings, read_settings, write_settings


def test_settings_come_back_as_they_were_written(tmp_path):
    settings = Settings(theme="dark", colour_blind=True, window=(1, 2, 800, 600), recent=("/a", "/中文"))
    assert write_settings(tmp_path / "deep" / "settings.json", settings)
    assert read_settings(tmp_path / "deep" / "settings.json") == settings


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 2}', '{"format": 1, "window": "wide"}', "[" * 100_000])
def test_a_damaged_file_is_put_aside_and_defaults_are_used(tmp_path, text):
    path = tmp_path / "settings.json"
    path.write_text(text)
    assert read_settings(path) == Settings()
    assert not path.exists()
    assert path.with_suffix(".bad").read_text() == text


def test_a_short_write_leaves_the_old_file_untouched(tmp_path, monkeypatch):
    path = tmp_path / "settings.json"
    write_settings(path, Settings(theme="dark"))
    before = path.read_bytes()
    monkeypatch.setattr(QSaveFile, "write", lambda _self, body: len(body) - 1)
    assert not write_settings(path, Settings(theme="light"))
    assert path.read_bytes() == before


def test_recent_folders_are_ten_newest_first_without_repeats():
    settings = Settings()
    for number in range(12):
        settings = settings.with_recent(f"/{number}")
    settings = settings.with_recent("/5")
    assert settings.recent[:2] == ("/5", "/11")
    assert len(settings.recent) == 10
    assert settings.recent.count("/5") == 1
