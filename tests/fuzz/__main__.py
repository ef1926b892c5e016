"""Fuzz all readers, each in a process of its own, and say in one line each what came of it.

    python -m tests.fuzz --seconds 300 --seed 1 [READER …]

Ends with status 1 after a find; its input and the log are in out/fuzz/. Needs atheris (Linux, macOS).
"""

import argparse
import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

LOGS = Path("out/fuzz")
# In the order of the time that one input takes, so that no slow one is left to run alone at the end.
READERS = (
    *("template", "chunk", "manifest", "index", "settings", "tiktoken", "tokenizer", "checkpoint", "gguf-model"),
    *("safetensors", "config", "gguf", "commands", "events"),
)


def main() -> int:
    """Run them; the exit status."""
    parser = argparse.ArgumentParser(prog="tests.fuzz", description="Fuzz the readers of outside files.")
    parser.add_argument("readers", nargs="*", default=READERS, metavar="READER", help=", ".join(READERS))
    parser.add_argument("--seconds", type=int, default=300, help="for each reader")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    arguments = parser.parse_args()
    LOGS.mkdir(parents=True, exist_ok=True)
    minutes = -(-len(arguments.readers) // arguments.jobs) * arguments.seconds / 60
    _say(f"{len(arguments.readers)} readers, {arguments.jobs} at a time: about {minutes:.0f} minutes")

    def fuzz(reader: str) -> bool:
        return _fuzz(reader, seconds=arguments.seconds, seed=arguments.seed)

    with ThreadPoolExecutor(arguments.jobs) as pool:
        return 0 if all(list(pool.map(fuzz, arguments.readers))) else 1


def _fuzz(reader: str, *, seconds: int, seed: int) -> bool:
    log = LOGS / f"{reader}.log"
    command = [sys.executable, "-m", "tests.fuzz.one", reader, "--seconds", str(seconds), "--seed", str(seed)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    began = time.monotonic()
    with log.open("wb") as file:
        status = subprocess.run(command, stdout=file, stderr=file, env=environment, check=False).returncode
    told = log.read_text(errors="replace")
    runs, coverage, peak = (
        _last(pattern, told) for pattern in (r"number_of_executed_units: (\d+)", r" cov: (\d+)", r"peak_rss_mb: +(\d+)")
    )
    verdict = "nothing found" if status == 0 else f"FOUND, see {log} and {LOGS}/{reader}-*"
    took = time.monotonic() - began
    _say(f"{reader:12} seed {seed}: {runs} inputs in {took:.0f} s, coverage {coverage}, peak {peak} MB: {verdict}")
    return status == 0


def _last(pattern: str, text: str) -> str:
    found = re.findall(pattern, text)
    return f"{int(found[-1]):,}" if found else "?"


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
