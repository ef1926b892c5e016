"""Fuzz one reader: coverage-guided by atheris, which ends the process at the first find and keeps its input.

    python -m tests.fuzz.one READER --seconds 300 --seed 1

Anything but the promised refusal is a find, and so is an input that takes longer than SECONDS or more than MEGABYTES.
"""

import argparse
import importlib
import sys
import tempfile
from pathlib import Path
from random import Random

import atheris

SECONDS = 10
MEGABYTES = 2048
LONGEST = 2**16  # bytes of one input
KEPT = Path("out/fuzz")
_PREFIX = 8  # of safetensors files: the length of their header


def main() -> None:
    parser = argparse.ArgumentParser(description="Fuzz one reader of outside files.")
    parser.add_argument("reader")
    parser.add_argument("--seconds", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with atheris.instrument_imports(include=["model"]):  # what is imported before it is fuzzed blindly
        targets = importlib.import_module("tests.fuzz.targets")
    mutate = importlib.import_module("tests.fuzz.mutate")
    target = targets.TARGETS[arguments.reader]
    KEPT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="fuzz-") as name:
        corpus, folder = Path(name) / "corpus", Path(name) / "folder"
        corpus.mkdir()
        folder.mkdir()
        for number, seed in enumerate(target.seeds()):
            (corpus / f"seed-{number}").write_bytes(seed)

        def change(data: bytes, most: int, seed: int) -> bytes:
            """Half of the time as JSON, where the input has some; otherwise as libFuzzer changes bytes."""
            random = Random(seed)
            if target.is_json and random.random() < 0.7:
                start = 0 if data[:1] in (b"{", b"[") else _PREFIX
                end = start + int.from_bytes(data[:start], "little")
                text = mutate.mutated(data[start : end if start else None], random)
                if text is not None and len(text) + len(data) - end <= most:
                    return (len(text).to_bytes(start, "little") + text + data[end:]) if start else text
            return bytes(atheris.Mutate(data, most))

        options = [
            f"-max_total_time={arguments.seconds}",
            f"-seed={arguments.seed}",
            f"-timeout={SECONDS}",
            f"-rss_limit_mb={MEGABYTES}",
            f"-max_len={LONGEST}",
            f"-artifact_prefix={KEPT}/{arguments.reader}-",
            "-print_final_stats=1",
            "-len_control=0",
        ]
        atheris.Setup(
            [sys.argv[0], *options, str(corpus)], lambda data: target.run(data, folder), custom_mutator=change
        )
        atheris.Fuzz()


if __name__ == "__main__":
    main()
