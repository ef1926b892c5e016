"""Whether a window can be shown is found out before Qt would end the process."""

import ctypes

import pytest

from app.display import missing_for_window


@pytest.fixture(autouse=True)
def _no_platform(monkeypatch):
    for name in ("QT_QPA_PLATFORM", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sys.platform", "linux")


def test_without_a_display_it_says_so():
    assert missing_for_window() == "There is no display here, so no window can be shown."


def test_with_a_display_but_without_the_xcb_library_it_names_the_package(monkeypatch):
    monkeypatch.setenv("DISPLAY", ":9")

    def missing(_name: str) -> None:
        raise OSError

    monkeypatch.setattr(ctypes, "CDLL", missing)
    assert "libxcb-cursor0" in str(missing_for_window())


@pytest.mark.parametrize(("name", "value"), [("WAYLAND_DISPLAY", "wayland-0"), ("QT_QPA_PLATFORM", "offscreen")])
def test_wayland_and_the_offscreen_platform_need_neither(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    assert missing_for_window() is None
