"""Whether a window can be shown at all, found out before Qt would end the process over it."""

import ctypes
import os
import sys

HEADLESS = ("offscreen", "minimal", "vnc")
XCB_LIBRARY = "libxcb-cursor.so.0"  # Qt 6.5 and newer cannot open an X display without it


def missing_for_window() -> str | None:
    """One sentence saying why no window can be shown here, or None."""
    if not sys.platform.startswith("linux") or os.environ.get("QT_QPA_PLATFORM", "").split(":")[0] in HEADLESS:
        return None
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return "There is no display here, so no window can be shown."
    if os.environ.get("WAYLAND_DISPLAY"):
        return None
    try:
        ctypes.CDLL(XCB_LIBRARY)
    except OSError:
        return f"{XCB_LIBRARY} is missing, so no window can be shown; install the package libxcb-cursor0."
    return None
