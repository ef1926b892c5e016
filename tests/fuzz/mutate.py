"""Changes to a JSON text that keep it JSON: bytes changed at random seldom get past the parser."""

import json
from copy import deepcopy
from random import Random
from typing import Any

ODD: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 3, 7, 64, 2**15, 2**31, 2**32, 2**53, 2**63, 2**64, 10**30, -(2**31), 0.0, -0.0,
    0.5, 1e-300, 1e300, "", "a", "0", "\ud800", "../x", "x" * 600, "\u202e", "\0", [], [[]], {}, [1, None], {"": 0},
)  # fmt: skip
_MOST = 8  # changes to one text


def mutated(text: bytes, random: Random) -> bytes | None:
    """The same JSON with a few parts replaced, removed, doubled, renamed or exchanged; None: it is not JSON."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    for _ in range(random.randint(1, _MOST)):
        value = _changed(value, random)
    return json.dumps(value, ensure_ascii=random.random() < 0.5).encode("utf-8", "surrogatepass")


def _changed(root: Any, random: Random) -> Any:
    places = list(_places(root))
    if not places:
        return deepcopy(random.choice(ODD))
    holder, key = random.choice(places)
    other_holder, other_key = random.choice(places)
    match random.randrange(7):
        case 0 | 1:
            holder[key] = deepcopy(random.choice(ODD))
        case 2:
            del holder[key]
        case 3:
            holder[key] = _nudged(holder[key], random)
        case 4:
            holder[key] = deepcopy(other_holder[other_key])
        case 5 if isinstance(holder, dict):
            holder[other_key if isinstance(other_key, str) else random.choice(("a", ""))] = holder.pop(key)
        case _ if isinstance(holder, list):
            holder.insert(key, deepcopy(holder[key]))
    return root


def _nudged(value: Any, random: Random) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return [value] if random.random() < 0.5 else {"type": value}
    return random.choice((value + 1, value - 1, -value, value * 2, value * 0.5, value * 10**9, str(value)))


def _places(root: Any) -> list[tuple[Any, Any]]:
    """Every (object or array, key or index) in a value."""
    found: list[tuple[Any, Any]] = []
    waiting = [root]
    while waiting:
        holder = waiting.pop()
        keys = holder.keys() if isinstance(holder, dict) else range(len(holder)) if isinstance(holder, list) else ()
        found += ((holder, key) for key in keys)
        waiting += (holder[key] for key in keys)
    return found
