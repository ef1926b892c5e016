"""llama.cpp's figures come from its own benchmark; here a script stands in for it."""

import sys
from pathlib import Path

import pytest

from app.commands.bench_llama import llama_measures
from model.problems import Problem

OURS = {"decode_64": {"value": 60.0}, "decode_2048": {"value": 30.0}, "recording_64": {"value": 60.0}}
FAKE = """#!{python}
import json, sys
depths = sys.argv[sys.argv.index("-d") + 1].split(",")
threads = sys.argv[sys.argv.index("-t") + 1].split(",")
rows = [{{"n_gen": 32, "n_depth": int(d), "n_threads": int(t), "avg_ts": {speed}}} for d in depths for t in threads]
sys.stdout.write(json.dumps(rows))
"""


def fake(folder: Path, *, speed: str) -> str:
    script = folder / "llama-bench"
    script.write_text(FAKE.format(python=sys.executable, speed=speed), encoding="utf-8")
    script.chmod(0o755)
    return str(script)


def test_the_best_thread_count_of_llama_is_the_peer_at_each_context(tmp_path: Path) -> None:
    binary = fake(tmp_path, speed="10.0 * int(t) + (5 if d == '64' else 0)")
    found = llama_measures(binary, "model.gguf", ours=OURS)
    assert found == {
        "llama_64": {"value": 60.0, "unit": "tokens/s", "peer": 25.0, "ratio": 60 / 25, "limit": None},
        "llama_2048": {"value": 30.0, "unit": "tokens/s", "peer": 20.0, "ratio": 1.5, "limit": None},
    }


def test_a_binary_that_answers_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Problem, match="llama-bench"):
        llama_measures(fake(tmp_path, speed="None"), "model.gguf", ours=OURS)
    with pytest.raises(Problem, match="llama-bench"):
        llama_measures(str(tmp_path / "missing"), "model.gguf", ours=OURS)
    with pytest.raises(Problem, match="llama-bench"):
        llama_measures("/bin/echo", "model.gguf", ours=OURS)
