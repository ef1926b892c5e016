"""Work on what outside files demand, done in a process of its own that can be neither slow nor large for long.

A chat template is a program, and so is, nearly, a tokenizer: either may loop, fill the memory or end the process it
runs in. The helper process is started for one task, may take `seconds` and `memory_bytes`, and is then gone. Where
the system has no such limits (Windows) it is ended from outside when its time is over.
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Literal

from model.problems import Problem

Task = Literal["render", "tokenizer"]
START_SECONDS = 20.0  # for the interpreter and its imports on a busy machine; the task's time starts after them
_ROOT = Path(__file__).parents[2]
_TIME = "it took longer than {seconds:g} s"
_MEMORY = "it needed more than {megabytes:,} MB or crashed"


def confined(task: Task, argument: object, *, seconds: float, memory_bytes: int) -> Any:
    """What a task of `model.checkpoint.confined_tasks` answers. Raises Problem with the reason, part of a sentence."""
    order = {"task": task, "argument": argument, "seconds": seconds, "memory_bytes": memory_bytes}
    environment = os.environ | {"TOKENIZERS_PARALLELISM": "false", "MALLOC_ARENA_MAX": "1", "PYTHONUTF8": "1"}
    process = subprocess.Popen(
        [sys.executable, "-m", "model.checkpoint.confined_tasks"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # where Rust's panics and a dying interpreter write
        cwd=_ROOT,
        env=environment,
    )
    with process:
        try:
            answer, _ = process.communicate(json.dumps(order).encode(), timeout=START_SECONDS + seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            raise Problem(_TIME.format(seconds=seconds)) from None
        except BaseException:
            process.kill()
            raise
    if process.returncode in (-getattr(signal, "SIGALRM", 0), -getattr(signal, "SIGXCPU", 0)) and process.returncode:
        raise Problem(_TIME.format(seconds=seconds))
    if process.returncode != 0:
        raise Problem(_MEMORY.format(megabytes=memory_bytes // 10**6))
    told = json.loads(answer)
    if "fault" in told:
        raise Problem(told["fault"] or _MEMORY.format(megabytes=memory_bytes // 10**6))
    return told["answer"]
