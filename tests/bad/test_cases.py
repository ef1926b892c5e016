"""No case is left without a test: the tables and the names of the tests carry the numbers."""

import re
from pathlib import Path

from tests.bad.test_bad_files import BAD
from tests.bad.test_tokenizers import FAILING

CASES = {*range(1, 31), 59, 63}


def test_every_case_of_bad_input_has_a_test() -> None:
    named = {int(name[5:7]) for name in (*BAD, *FAILING)}
    for path in Path(__file__).parent.glob("test_*.py"):
        text = path.read_text(encoding="utf-8")
        named |= {int(number) for line in re.findall(r"^def (test_\w+)", text, re.M) for number in numbers(line)}
    assert named >= CASES, sorted(CASES - named)


def numbers(name: str) -> list[str]:
    """Of "test_case_26_and_28_…" both."""
    return re.findall(r"(?:case|and)_(\d\d)_", name)
