"""What the helper process of `model.checkpoint.confined` does: one task within limits, JSON in, JSON out."""

import json
import signal
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

TASKS = {"render": "model.checkpoint.rendering", "tokenizer": "model.checkpoint.trial_texts"}
ANSWER_LIMIT = 8 * 10**6  # characters


def main() -> None:
    """Read the order, take the limits, do the task of that module's `perform`, tell what came of it."""
    order = json.load(sys.stdin.buffer)
    # Only what the task needs is imported, and before the limits count.
    perform: Callable[[object], object] = import_module(TASKS[order["task"]]).perform
    _limit(order["seconds"], order["memory_bytes"])
    told = _told(perform, order["argument"])
    sys.stdout.buffer.write(told.encode())


def _told(perform: Callable[[object], object], argument: object) -> str:
    try:
        answer = json.dumps({"answer": perform(argument)})
    except MemoryError:
        return '{"fault":""}'
    except RecursionError:
        return '{"fault":"it calls itself without end"}'
    except BaseException as fault:  # noqa: BLE001 whatever a template or a library raises (panics too) is an answer
        return json.dumps({"fault": ascii(str(fault))[1:-1][:200] or type(fault).__name__})
    return answer if len(answer) <= ANSWER_LIMIT else '{"fault":"its text is too long"}'


def _limit(seconds: float, memory_bytes: int) -> None:
    """From here on. An alarm that nothing handles ends the process, whatever it is doing."""
    try:
        import resource  # not on Windows, where only the caller's deadline is left
    except ImportError:
        return
    signal.setitimer(signal.ITIMER_REAL, seconds)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize() if _LINUX else 0
    limits = {
        resource.RLIMIT_CPU: int(seconds) + 1,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_AS: used + memory_bytes if _LINUX else resource.RLIM_INFINITY,
    }
    for kind, most in limits.items():
        resource.setrlimit(kind, (most, most))


_LINUX = Path("/proc/self/statm").exists()

if __name__ == "__main__":
    main()
