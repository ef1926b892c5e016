"""Changes to the tiny decoder that together use every option of MLA models."""

from dataclasses import replace
from typing import Any

from model.config import QueryTemperature, RopeConfig, RouterConfig
from tests.model.network.tiny import TINY

assert TINY.router is not None
ROUTER: RouterConfig = TINY.router
ONE_GROUP = {"groups": 1, "groups_per_token": 1}

OPTIONS: dict[str, dict[str, Any]] = {
    "deepseek v3": {},
    "no query LoRA, half-split RoPE": {"q_lora_rank": None, "rope": RopeConfig(10_000.0, interleaved=False)},
    "biases": {"attention_bias": True, "mlp_bias": True},
    "greedy": {"router": replace(ROUTER, method="greedy", scoring="softmax", normalise=False, **ONE_GROUP)},
    "group_limited_greedy": {"router": replace(ROUTER, method="group_limited_greedy", scoring="softmax")},
    "group_limited_top2": {"router": replace(ROUTER, method="group_limited_top2", scoring="softmax")},
    "scales of MiniCPM3": {"embedding_scale": 12.0, "residual_scale": 0.3, "logit_scale": 0.25},
    "dense": {"router": None, "moe_layers": (), "shared_experts": 0},
    "query temperature": {"query_temperature": QueryTemperature(0.1, 8)},
    "norm behind the experts": {"moe_norm": True},
    "shortcut and zero experts": {
        "router": replace(ROUTER, scoring="softmax", experts=10, zero_experts=4, **ONE_GROUP),
        "shortcut_moe": True,
        "moe_layers": (0, 2),
        "shared_experts": 0,
        "query_scale": 1.3,
        "c_kv_scale": 0.7,
    },
    "tied head, twenty heads": {"tie_word_embeddings": True, "heads": 20},
    "every expert chosen": {"router": replace(ROUTER, experts_per_token=8, groups_per_token=4)},
}
