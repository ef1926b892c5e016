"""The figures of a llama.cpp binary as another peer: its own llama-bench, run after our measurement."""

import json
import re
import subprocess
from typing import Any

from model.problems import Problem

SECONDS = 600
_DECODE = re.compile(r"decode_(\d+)")


def llama_measures(binary: str, gguf: str, *, ours: dict[str, Any], threads: int = 2) -> dict[str, object]:
    """`llama_<context>` for every measured context: our tokens/s against llama.cpp's best of one and `threads`."""
    contexts = [int(match[1]) for name in ours if (match := _DECODE.fullmatch(name))]
    rows = _rows(binary, gguf, contexts, threads)
    found: dict[str, object] = {}
    for context in contexts:
        speeds = [row["avg_ts"] for row in rows if row.get("n_gen") and row.get("n_depth", 0) == context]
        if not speeds:
            raise Problem(f"{binary} gave no figure at context {context}; it must be a llama-bench that knows -d.")
        value = ours[f"decode_{context}"]["value"]
        found[f"llama_{context}"] = {
            "value": value,
            "unit": "tokens/s",
            "peer": max(speeds),
            "ratio": value / max(speeds),
            "limit": None,
        }
    return found


def _rows(binary: str, gguf: str, contexts: list[int], threads: int) -> list[dict[str, Any]]:
    depths = ",".join(str(context) for context in contexts)
    command = [binary, "-m", gguf, "-p", "0", "-n", "32", "-d", depths, "-t", f"1,{threads}", "-o", "json"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=True)
        rows = json.loads(done.stdout)
        return [row for row in rows if isinstance(row.get("avg_ts"), int | float)]
    except (OSError, subprocess.SubprocessError, ValueError, AttributeError, TypeError) as error:
        raise Problem(
            f"{binary} could not measure {gguf} ({type(error).__name__}); give llama.cpp's llama-bench and a GGUF file."
        ) from None
