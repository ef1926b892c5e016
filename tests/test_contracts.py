"""Every import contract is seen to fail: one forbidden import for each, all in one copy of the sources."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]

# Contract, a file, and the import that breaks it (and no other that is tested by another line).
SEEDS = {
    "app over widgets over model": ("widgets/segmented.py", "import app.theme"),
    "the order of rooms inside model": ("model/network/rope.py", "import model.recording.columns"),
    "model knows no Qt": ("model/lenses/routing.py", "import PySide6.QtCore"),
    "widgets know no engine, no messages, no processes": ("widgets/stepper.py", "import model.messages"),
    "nothing the window imports loads torch": ("app/theme.py", "import torch"),
    "transformers is an oracle of the tests only": ("model/checkpoint/folder.py", "import transformers"),
    "the window's state knows no Qt": ("app/selecting.py", "import pyqtgraph"),
}


def test_every_contract_is_seen_to_fail(tmp_path: Path) -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = [contract["name"] for contract in settings["tool"]["importlinter"]["contracts"]]
    assert sorted(contracts) == sorted(SEEDS)
    for package in settings["tool"]["importlinter"]["root_packages"]:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for file, line in SEEDS.values():
        path = tmp_path / file
        path.write_text(f"{path.read_text(encoding='utf-8')}\n{line}\n", encoding="utf-8")
    said = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert said.returncode == 1, said.stderr
    verdicts = dict(re.findall(r"^(.+?) (KEPT|BROKEN)", said.stdout, re.M))
    assert verdicts == dict.fromkeys(contracts, "BROKEN")
    found = said.stdout.replace(" ", "")
    for file, line in SEEDS.values():
        imported = line.removeprefix("import ").split(".")[0]
        assert f"{file.removesuffix('.py').replace('/', '.')}->{imported}" in found
