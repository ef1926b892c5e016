"""A small decoder with random weights, made without any file."""

from dataclasses import replace
from typing import Any

import torch

from model.config import ModelConfig, RopeConfig, RouterConfig
from model.network.decoder import Decoder
from model.network.weights import bind
from model.shapes import tensor_shapes

TINY = ModelConfig(
    family="DeepSeek-V3",
    model_type="deepseek_v3",
    vocab_size=257,
    hidden_size=64,
    layers=3,
    heads=4,
    q_lora_rank=24,
    kv_lora_rank=32,
    qk_nope_head_dim=16,
    qk_rope_head_dim=8,
    v_head_dim=12,
    intermediate_size=96,
    moe_intermediate_size=24,
    shared_experts=1,
    moe_layers=(1, 2),
    router=RouterConfig("noaux_tc", "sigmoid", 8, 3, 4, 2, normalise=True, scaling_factor=2.5),
    rope=RopeConfig(10_000.0),
    max_position_embeddings=256,
)


def tiny_decoder(
    *, dtype: torch.dtype = torch.float32, device: torch.device | None = None, seed: int = 0, **changes: Any
) -> Decoder:
    config = replace(TINY, **changes)
    generator = torch.Generator().manual_seed(seed)
    tensors = {}
    for name, shape in tensor_shapes(config).items():
        noise = torch.randn(shape, generator=generator)
        value = 1 + 0.2 * noise if "norm" in name else 0.1 * noise if "bias" in name else noise / shape[-1] ** 0.5
        tensors[name] = (value if ".mlp.gate." in name else value.to(dtype)).to(device)
    return Decoder(config, bind(config, tensors))
