"""How much memory there is. Torch-free."""

import os
from pathlib import Path

_TABLE = Path("/proc/meminfo")


def free_bytes() -> int:
    """Memory that programs can still get without swapping; an estimate."""
    if _TABLE.exists():
        for line in _TABLE.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):  # macOS does not say; half of what the machine has is a guess that rarely hurts
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
