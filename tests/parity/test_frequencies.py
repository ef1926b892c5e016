"""Rotary frequencies have the very bits of transformers': a bit less shows after a thousand positions."""

from typing import Any

import pytest
import torch
from transformers import DeepseekV3Config
from transformers.models.deepseek_v3.modeling_deepseek_v3 import DeepseekV3RotaryEmbedding

from model.config import RopeConfig, YarnConfig
from model.network.rope import frequencies


@pytest.mark.parametrize("width", [8, 16, 64, 128])
@pytest.mark.parametrize("theta", [1e4, 5e4, 1e6])
@pytest.mark.parametrize("yarn", [None, YarnConfig(40.0, 4096), YarnConfig(32.0, 4096, 1.0, 1.0)])
def test_frequencies_equal_those_of_transformers_bit_for_bit(width: int, theta: float, yarn: YarnConfig | None) -> None:
    parameters: dict[str, Any] = {"rope_type": "default", "rope_theta": theta}
    if yarn is not None:
        parameters |= {
            "rope_type": "yarn",
            "factor": yarn.factor,
            "original_max_position_embeddings": yarn.original_max_position_embeddings,
            "beta_fast": yarn.beta_fast,
            "beta_slow": yarn.beta_slow,
        }
    length = 4096 if yarn is None else int(yarn.factor * yarn.original_max_position_embeddings)
    config = DeepseekV3Config(qk_rope_head_dim=width, rope_parameters=parameters, max_position_embeddings=length)
    theirs: Any = DeepseekV3RotaryEmbedding(config)
    assert torch.equal(frequencies(RopeConfig(theta, yarn=yarn), width), theirs.inv_freq)
