"""Helping threads: they sleep until a step begins, help until it ends, and never outlive the process."""

import queue
import threading

from model.network.cpu_decode.jobs import assist
from model.network.cpu_decode.plan import Plan
from model.network.cpu_decode.sharing import STOP

_calls: list[queue.SimpleQueue[Plan]] = []


def summon(plan: Plan) -> None:
    """Ask for help with one call; whoever comes too late goes back to sleep."""
    while len(_calls) < plan.threads - 1:
        _calls.append(queue.SimpleQueue())
        threading.Thread(target=_help, args=(_calls[-1],), name="decode helper", daemon=True).start()
    plan.shared[STOP] = 0
    for calls in _calls[: plan.threads - 1]:
        calls.put(plan)


def _help(calls: queue.SimpleQueue[Plan]) -> None:
    while True:
        plan = calls.get()
        assist(plan.kind, plan.shape, plan.room)
        del plan
