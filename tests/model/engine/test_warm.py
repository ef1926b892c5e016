"""The warm-up draws in the arithmetic that views will use, else the first picture waits for the compiler."""

from typing import Any

import pytest

from model.engine import warm
from model.lenses.scorer import Scorer


@pytest.mark.parametrize(("usual", "drawn"), [("bf16", ["bf16", "float32"]), ("float32", ["float32"])])
def test_every_arithmetic_in_use_is_drawn_the_usual_one_first(
    usual: str, drawn: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    real = warm.HeadPicture

    def draw(scorer: Scorer, *wanted: Any) -> Any:
        asked.append(scorer.arithmetic)
        return real(scorer, *wanted)

    monkeypatch.setattr(warm, "HeadPicture", draw)
    monkeypatch.setattr(warm, "arithmetic", lambda _device, exact: "float32" if exact else usual)
    warm.draw_everything()
    assert list(dict.fromkeys(asked)) == drawn
