import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize(
    "module",
    [
        "model.recording.recording",
        "model.lenses.balance",
        "model.lenses.latents",
        "model.lenses.memory",
        "model.lenses.pooling",
        "model.lenses.routing",
    ],
)
def test_readers_and_numpy_lenses_do_without_torch(module: str) -> None:
    code = f"import sys, {module}; sys.exit('torch' in sys.modules)"
    root = Path(__file__).parents[3]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0
