"""The compiled choice of the likeliest tokens against torch's softmax and top-k."""

import math

import pytest
import torch

from model.network.cpu_decode.likeliest import Likeliest


def _likeliest(logits_V: torch.Tensor, most: int) -> tuple[list[int], list[float]]:
    return Likeliest(most)(logits_V)


@pytest.mark.parametrize("count", [1, 5, 15, 16, 17, 100, 8192, 50_257])
def test_tokens_and_log_probabilities_are_torchs(count: int) -> None:
    logits_V = 8 * torch.randn(count, generator=torch.Generator().manual_seed(count))
    ids, values = _likeliest(logits_V, min(5, count))
    top = logits_V.double().log_softmax(0).topk(min(5, count))
    assert ids == top.indices.tolist()
    assert values == pytest.approx(top.values.tolist(), abs=2e-6)


def test_the_earlier_of_equals_comes_first() -> None:
    assert _likeliest(torch.tensor([1.0, 3.0, 2.0, 3.0, 3.0]), 4)[0] == [1, 3, 4, 2]


@pytest.mark.parametrize("broken", [math.nan, math.inf])
@pytest.mark.parametrize("place", [0, 20, 36])
def test_what_is_no_number_is_told(broken: float, place: int) -> None:
    logits_V = torch.randn(37)
    logits_V[place] = broken
    assert not math.isfinite(_likeliest(logits_V, 5)[1][0])


def test_what_cannot_be_has_no_part() -> None:
    logits_V = torch.cat((torch.zeros(3), torch.full((40,), -math.inf)))
    assert _likeliest(logits_V, 4)[1] == pytest.approx([-math.log(3)] * 3 + [-math.inf])
    assert not math.isfinite(_likeliest(torch.full((20,), -math.inf), 1)[1][0])


def test_far_below_the_best_is_nothing_and_all_equal_is_even() -> None:
    assert _likeliest(torch.tensor([0.0] + [-3e38] * 40), 2)[1][0] == pytest.approx(0.0)
    assert _likeliest(torch.full((4096,), -77.0), 5) == ([0, 1, 2, 3, 4], pytest.approx([-math.log(4096)] * 5))
