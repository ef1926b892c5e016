"""Choosing the next token: greedy, the filters, the seed."""

from collections import Counter

import pytest
import torch

from model.config import Sampling
from model.network.sampling import Sampler

LOGITS = torch.tensor([1.0, 4.0, 3.0, 2.0, 4.0])


def drawn(sampling: Sampling, count: int = 400) -> Counter[int]:
    sampler = Sampler(sampling)
    return Counter(sampler.choose(LOGITS) for _ in range(count))


def test_greedy_takes_the_first_of_the_largest() -> None:
    assert drawn(Sampling()) == {1: 400}


def test_top_k_keeps_the_k_largest() -> None:
    assert drawn(Sampling(temperature=1.0, top_k=3)).keys() == {1, 2, 4}


def test_top_p_keeps_the_token_that_crosses_it() -> None:
    # The two largest have 0.40 each: one alone covers 0.3, two are needed for 0.5.
    assert drawn(Sampling(temperature=1.0, top_p=0.3)).keys() == {1}
    assert drawn(Sampling(temperature=1.0, top_p=0.5)).keys() == {1, 4}


def test_frequencies_follow_the_softmax() -> None:
    share = drawn(Sampling(temperature=2.0, seed=5), 4000)
    expected = (LOGITS / 2).softmax(-1)
    for token in range(5):
        assert share[token] / 4000 == pytest.approx(float(expected[token]), abs=0.03)


def test_the_same_seed_draws_the_same_tokens() -> None:
    first, second, other = (Sampler(Sampling(temperature=1.0, seed=seed)) for seed in (7, 7, 8))
    runs = [[sampler.choose(LOGITS) for _ in range(50)] for sampler in (first, second, other)]
    assert runs[0] == runs[1] != runs[2]


def test_extreme_temperatures_still_choose() -> None:
    assert drawn(Sampling(temperature=1e-9)).keys() <= {1, 4}
    assert drawn(Sampling(temperature=1e-320)).keys() <= {1, 4}  # 0 in float32
    assert len(drawn(Sampling(temperature=100.0))) == 5


@pytest.mark.parametrize("value", [float("nan"), float("-inf")])
def test_logits_without_a_finite_value_are_refused(value: float) -> None:
    with pytest.raises(ValueError, match="not finite"):
        Sampler(Sampling()).choose(torch.full((5,), value))


@pytest.mark.parametrize(
    ("sampling", "word"),
    [
        (Sampling(temperature=-1.0), "temperature"),
        (Sampling(temperature=float("nan")), "temperature"),
        (Sampling(top_p=0.0), "top-p"),
        (Sampling(top_k=-1), "top-k"),
    ],
)
def test_settings_out_of_range_are_named(sampling: Sampling, word: str) -> None:
    assert word in str(sampling.problem())
    assert Sampling().problem() is None
