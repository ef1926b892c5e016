"""The one gate for files that come from outside: regular files only, bounded reads, strict JSON. Torch-free.

Nothing that is read here is trusted: a name may be a pipe that never answers, a size may be a lie,
a JSON text may say two things under one key. Every refusal is a Problem.
"""

import json
import os
import re
import stat
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from model.problems import Problem

JSON_DEPTH_LIMIT = 64
_HALF = re.compile(rb"\\u[dD][89a-fA-F]")  # how an escaped half of a surrogate pair begins


def open_regular(path: Path) -> BinaryIO:
    """Open a file for reading, without ever waiting for a pipe or a device to answer.

    The opened descriptor is checked, not the name, so nothing can be swapped in between.
    Raises Problem when there is no such file or it is not a regular one.
    """
    try:
        # O_NONBLOCK: opening a pipe that nobody writes to would wait for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise Problem(f"{path} does not exist; check the path.") from None
    except (OSError, ValueError) as error:
        raise Problem(f"{path} cannot be opened ({_reason(error)}); check the path and its permissions.") from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise Problem(f"{path} is not a regular file; replace it by the file itself.")
    return os.fdopen(descriptor, "rb")


def read_bounded(path: Path, *, limit: int) -> bytes:
    """All bytes of a regular file of at most `limit` bytes. Raises Problem."""
    with open_regular(path) as file:
        try:
            content = file.read(limit + 1)
        except OSError as error:
            raise Problem(f"{path} cannot be read ({_reason(error)}); check the disk.") from None
    if len(content) > limit:
        raise Problem(f"{path} is larger than {limit:,} bytes, the most that is read of such a file; check what it is.")
    return content


def parse_json(content: bytes, *, where: str) -> object:
    """Strict JSON: UTF-8, no key twice, finite numbers, whole characters, at most 64 levels.

    `where` names the text in a Problem.
    """
    try:
        value: object = json.loads(
            content.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_constant=_refuse_constant,
            parse_float=_finite,
            parse_int=_integer if b"-0" in content else None,
        )
    except RecursionError:
        raise Problem(f"{where} is nested too deeply; at most {JSON_DEPTH_LIMIT} levels are read.") from None
    except ValueError as error:
        raise Problem(f"{where} is not valid JSON ({error}); get the file again.") from None
    if _deeper_than(value, JSON_DEPTH_LIMIT):
        raise Problem(f"{where} is nested too deeply; at most {JSON_DEPTH_LIMIT} levels are read.")
    if _HALF.search(content) and not _encodable(value):
        raise Problem(f"{where} is not valid JSON (it has half of a surrogate pair); get the file again.")
    return value


def read_json_object(path: Path, *, limit: int) -> dict[str, object]:
    """The JSON object in a file of at most `limit` bytes. Raises Problem."""
    value = parse_json(read_bounded(path, limit=limit), where=str(path))
    if not isinstance(value, dict):
        raise Problem(f"{path} does not hold a JSON object; get the file again.")
    return value


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    result = dict(pairs)
    if len(result) != len(pairs):
        twice, _ = Counter(key for key, _ in pairs).most_common(1)[0]
        raise ValueError(f"the key {ascii(twice)[:80]} appears twice")
    return result


def _refuse_constant(text: str) -> object:
    raise ValueError(f"{text} is not a JSON number")


def _finite(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError(f"the number {text[:40]} is too large")
    return value


def _integer(text: str) -> int | float:
    # "-0" is a number but not a whole one for other readers; both must see the same thing.
    return -0.0 if text == "-0" else int(text)


def _encodable(value: object) -> bool:
    """Whether every text in it is made of whole characters, so that it can be shown, sent and saved."""
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _deeper_than(value: object, limit: int) -> bool:
    level: list[object] = [value]
    for _ in range(limit):
        level = [child for item in level for child in _members(item) if type(child) is dict or type(child) is list]
        if not level:
            return False
    return True


def _members(item: object) -> Iterable[object]:
    if isinstance(item, dict):
        return item.values()
    return item if isinstance(item, list) else ()


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
