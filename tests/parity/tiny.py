"""Tiny DeepSeek checkpoints written by transformers, with every weight that could be overlooked made to matter.

transformers' own initialisation is blind: biases 0 and norms 1 hide the code that forgets them.
"""

from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn
from transformers import DeepseekV2Config, DeepseekV2ForCausalLM, DeepseekV3Config, DeepseekV3ForCausalLM
from transformers.utils import logging

logging.disable_progress_bar()
logging.set_verbosity_error()  # tiny models have odd YaRN lengths, which it remarks upon

Family = Literal["v2", "v3"]

# Widths are all different on purpose: a mixed-up axis cannot go unnoticed.
BASE: dict[str, Any] = {
    "vocab_size": 257,
    "hidden_size": 64,
    "intermediate_size": 96,
    "moe_intermediate_size": 24,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "kv_lora_rank": 32,
    "q_lora_rank": 24,
    "qk_nope_head_dim": 16,
    "qk_rope_head_dim": 8,
    "v_head_dim": 12,
    "n_routed_experts": 8,
    "n_shared_experts": 1,
    "num_experts_per_tok": 3,
    "first_k_dense_replace": 1,
    "max_position_embeddings": 256,
}
FAMILY: dict[Family, dict[str, Any]] = {
    "v2": {"n_group": 1, "topk_group": 1, "topk_method": "greedy", "routed_scaling_factor": 1.0},
    "v3": {"n_group": 4, "topk_group": 2, "norm_topk_prob": True, "routed_scaling_factor": 2.5},
}


def yarn(factor: float = 40.0, **overrides: Any) -> dict[str, Any]:
    """`rope_parameters` with YaRN from an original length of 64, so that 96 tokens exceed it."""
    return {
        "rope_type": "yarn",
        "rope_theta": 10_000.0,
        "factor": factor,
        "original_max_position_embeddings": 64,
        "beta_fast": 32,
        "beta_slow": 1,
        **overrides,
    }


def make_checkpoint(
    folder: Path, family: Family, *, seed: int = 0, save: dict[str, Any] | None = None, **overrides: Any
) -> Any:
    """Write a tiny checkpoint and return transformers' model, float32, eager, in evaluation mode.

    `save` goes to `save_pretrained`, `overrides` into the config.
    """
    settings = BASE | FAMILY[family] | overrides
    model: Any = (
        DeepseekV2ForCausalLM(DeepseekV2Config(**settings))
        if family == "v2"
        else DeepseekV3ForCausalLM(DeepseekV3Config(**settings))
    )
    model = model.to(torch.float32).eval()
    randomise(model, seed=seed)
    model.set_attn_implementation("eager")
    model.set_experts_implementation("eager")
    model.save_pretrained(folder, **(save or {}))
    return model


@torch.no_grad()
def randomise(model: nn.Module, *, seed: int) -> None:
    """Overwrite every weight: norms around 1, biases around 0, routers decided, all else of unit gain."""
    generator = torch.Generator().manual_seed(seed)
    named = [*model.named_parameters(), *model.named_buffers()]
    for name, tensor in named:
        if "inv_freq" in name:
            continue
        noise = torch.randn(tensor.shape, generator=generator)
        if "norm" in name:
            tensor.copy_(1 + 0.2 * noise)
        elif "bias" in name:
            tensor.copy_(0.1 * noise)
        elif "embed_tokens" in name:
            tensor.copy_(noise)
        else:
            gain = 2.0 if "mlp.gate." in name else 1.0
            tensor.copy_(gain * noise / tensor.shape[-1] ** 0.5)
