"""YaRN frequencies and softmax scales against published configurations, and what a rotation keeps."""

from dataclasses import replace

import pytest
import torch

from model.config import LongRopeConfig, RopeConfig, YarnConfig
from model.network.rope import RotaryTable, amplitude, frequencies, rotate, softmax_scale
from tests.model.network.tiny import TINY

DEEPSEEK_V2 = YarnConfig(40.0, 4096, mscale=0.707, mscale_all_dim=0.707)
DEEPSEEK_V3 = YarnConfig(40.0, 4096, mscale=1.0, mscale_all_dim=1.0)
KIMI_K2 = YarnConfig(32.0, 4096, beta_fast=1.0, beta_slow=1.0, mscale=1.0, mscale_all_dim=1.0)


@pytest.mark.parametrize(
    ("yarn", "theta", "pair", "expected"),
    [
        (DEEPSEEK_V3, 1e4, 0, 1.0),
        (DEEPSEEK_V3, 1e4, 10, 5.623412877e-02),
        (DEEPSEEK_V3, 1e4, 11, 3.900692612e-02),
        (DEEPSEEK_V3, 1e4, 15, 8.334509097e-03),
        (DEEPSEEK_V3, 1e4, 20, 7.905694074e-04),
        (DEEPSEEK_V3, 1e4, 22, 1.778279402e-04),
        (DEEPSEEK_V3, 1e4, 23, 3.333803397e-05),
        (DEEPSEEK_V3, 1e4, 31, 3.333803534e-06),
        (KIMI_K2, 5e4, 19, 1.621759962e-03),
        (KIMI_K2, 5e4, 20, 3.614046727e-05),
    ],
)
def test_frequencies_are_those_of_the_released_models(
    yarn: YarnConfig, theta: float, pair: int, expected: float
) -> None:
    assert float(frequencies(RopeConfig(theta, yarn=yarn), 64)[pair]) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    ("yarn", "expected"),
    [
        (DEEPSEEK_V2, 0.11472139),
        (DEEPSEEK_V3, 0.13523378),
        (KIMI_K2, 0.13086080),
        (YarnConfig(64.0, 4096, mscale=1.0, mscale_all_dim=1.0), 0.14467963),
        (YarnConfig(40.0, 4096), 0.07216878),
        (None, 0.07216878),
    ],
)
def test_yarn_changes_the_softmax_scale(yarn: YarnConfig | None, expected: float) -> None:
    config = replace(TINY, qk_nope_head_dim=128, qk_rope_head_dim=64, rope=RopeConfig(1e4, yarn=yarn))
    assert softmax_scale(config) == pytest.approx(expected, rel=1e-6)


def test_amplitude_is_the_ratio_of_both_mscales() -> None:
    assert amplitude(RopeConfig(1e4, yarn=DEEPSEEK_V2)) == 1.0
    assert amplitude(RopeConfig(1e4, yarn=YarnConfig(40.0, 64, mscale=1.0, mscale_all_dim=0.5))) == pytest.approx(
        1.1557, abs=1e-4
    )
    assert amplitude(RopeConfig(1e4, yarn=YarnConfig(40.0, 64, attention_factor=1.25))) == 1.25


@pytest.mark.parametrize("interleaved", [True, False])
def test_scores_depend_on_the_distance_alone(interleaved: bool) -> None:
    table = RotaryTable(RopeConfig(10_000.0), 8, torch.device("cpu"))
    q, k = torch.randn(2, 1, 8, generator=torch.Generator().manual_seed(0)).double()

    def score(at_query: int, at_key: int) -> float:
        turned = [
            rotate(x.unsqueeze(1), table.rows(at, at + 1, length=at + 1), interleaved=interleaved)
            for x, at in ((q, at_query), (k, at_key))
        ]
        return float((turned[0] * turned[1]).sum())

    assert score(19, 12) == pytest.approx(score(307, 300), abs=1e-4)
    assert score(19, 12) != pytest.approx(score(20, 12), abs=1e-3)


def test_the_table_grows_without_changing_what_it_said() -> None:
    table = RotaryTable(RopeConfig(10_000.0), 8, torch.device("cpu"))
    before = table.rows(0, 100, length=100).clone()
    assert len(table.rows(1000, 1200, length=1200)) == 200
    assert torch.equal(table.rows(0, 100, length=100), before)


@pytest.mark.parametrize("length", [3, 40])
def test_single_positions_are_turned_as_in_the_table(length: int) -> None:
    half = 4
    longrope = LongRopeConfig((1.0,) * half, tuple(1.0 + i for i in range(half)), 16)
    for rope in (RopeConfig(10_000.0), RopeConfig(10_000.0, longrope=longrope)):
        table = RotaryTable(rope, 2 * half, torch.device("cpu"))
        positions = torch.tensor([0, 5, 15, 16, 300])
        every = table.rows(0, 301, length=length)
        assert torch.equal(table.at(positions, length=length), every[positions])
