"""The configurations that are compared with transformers, and the run of one of them on both sides."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from model.checkpoint.folder import read_checkpoint
from model.checkpoint.loading import load
from model.network.cache import KvCache
from model.network.decoder import Decoder, new_probe
from model.probe import Probe
from tests.parity.families import Family, longrope, yarn
from tests.parity.tiny import make_checkpoint

TOKENS = 96
CPU = torch.device("cpu")


@dataclass(frozen=True)
class Case:
    family: Family
    overrides: dict[str, Any] = field(default_factory=dict)
    save: dict[str, Any] | None = None
    rewrite: Callable[[Path], None] | None = None


@dataclass(frozen=True)
class Both:
    """One checkpoint, run by transformers and by us on the same 96 tokens."""

    family: Family
    theirs: Any
    decoder: Decoder
    ids_T: Tensor
    their_output: Any
    their_routing: list[tuple[Tensor, Tensor, Tensor]]  # per MoE layer: router logits, weights, experts
    logits_TV: Tensor
    cache: KvCache
    probe: Probe[Tensor]


def legacy_keys(folder: Path) -> None:
    """Rewrite the config as files of 2024 have it."""
    path = folder / "config.json"
    config = json.loads(path.read_text())
    scaling = config.pop("rope_parameters")
    config["rope_theta"] = scaling.pop("rope_theta")
    config["rope_scaling"] = scaling | {"type": scaling.pop("rope_type")}
    config["torch_dtype"] = config.pop("dtype")
    path.write_text(json.dumps(config))


def third_rotated() -> dict[str, Any]:
    return {"rope_type": "default", "rope_theta": 1e4, "partial_rotary_factor": 1 / 3}


def add_prediction_layer(folder: Path) -> None:
    """Add a multi-token prediction layer and an old rotary buffer, which must change nothing."""
    path = folder / "model.safetensors"
    tensors = load_file(path)
    extra = {name.replace("layers.2.", "layers.3."): x + 1 for name, x in tensors.items() if "layers.2." in name}
    extra["model.layers.3.eh_proj.weight"] = torch.ones(64, 128)
    extra["model.layers.0.self_attn.rotary_emb.inv_freq"] = torch.ones(4)
    save_file(tensors | extra, path, metadata={"format": "pt"})


V2_GROUPS = {"topk_method": "group_limited_greedy", "n_group": 4, "topk_group": 2, "routed_scaling_factor": 16.0}
CASES: dict[str, Case] = {
    "v2 greedy without q lora": Case("v2", {"q_lora_rank": None}),
    "v2 yarn .707": Case("v2", {"q_lora_rank": None, "rope_parameters": yarn(mscale=0.707, mscale_all_dim=0.707)}),
    "v2 device-limited groups": Case("v2", V2_GROUPS),
    "v2 attention bias": Case("v2", {"attention_bias": True}),
    "v2 mlp bias, two shared experts": Case("v2", {"mlp_bias": True, "n_shared_experts": 2}),
    "v2 ignores norm_topk_prob": Case("v2", {"norm_topk_prob": True, "routed_scaling_factor": 3.0}),
    "v2 legacy keys": Case("v2", {"rope_parameters": yarn(mscale=0.707, mscale_all_dim=0.707)}, rewrite=legacy_keys),
    "v2 fused, sharded": Case("v2", V2_GROUPS, {"save_original_format": False, "max_shard_size": "100KB"}),
    "v3 groups, bias, norm": Case("v3"),
    "v3 attention bias": Case("v3", {"attention_bias": True}),
    "v3 yarn 1/1": Case("v3", {"rope_parameters": yarn(mscale=1.0, mscale_all_dim=1.0)}),
    "v3 as Kimi-K2": Case(
        "v3",
        {
            "rope_parameters": yarn(32.0, rope_theta=5e4, beta_fast=1, beta_slow=1, mscale=1.0, mscale_all_dim=1.0),
            "n_group": 1,
            "topk_group": 1,
            "routed_scaling_factor": 2.827,
        },
    ),
    "v3 yarn with an amplitude": Case("v3", {"rope_parameters": yarn(mscale=1.0, mscale_all_dim=0.5)}),
    "v3 yarn without mscales": Case("v3", {"rope_parameters": yarn(4.0)}),
    "v3 as Moonlight": Case(
        "v3",
        {
            "q_lora_rank": None,
            "n_shared_experts": 2,
            "rms_norm_eps": 1e-5,
            "routed_scaling_factor": 2.446,
            "n_group": 1,
            "topk_group": 1,
        },
    ),
    "v3 half-split rope": Case("v3", {"rope_interleave": False}),
    "v3 weights not normalised": Case("v3", {"norm_topk_prob": False}),
    "v3 tied embeddings": Case("v3", {"tie_word_embeddings": True}),
    "v3 dense only": Case("v3", {"first_k_dense_replace": 3}),
    "v3 fused, sharded": Case("v3", {}, {"save_original_format": False, "max_shard_size": "100KB"}),
    "v3 sharded, one tensor per expert": Case("v3", {}, {"max_shard_size": "100KB"}),
    "v3 with a prediction layer": Case("v3", {}, rewrite=add_prediction_layer),
    "glm4_moe_lite": Case("glm4_moe_lite"),
    "glm4_moe_lite, layers listed": Case("glm4_moe_lite", {"mlp_layer_types": ["sparse", "dense", "sparse"]}),
    "glm4_moe, MHA": Case("glm4_moe"),
    "glm4_moe, GQA, a third rotated": Case("glm4_moe", {"num_key_value_heads": 2, "rope_parameters": third_rotated()}),
    "glm4_moe, MQA, all rotated": Case("glm4_moe", {"num_key_value_heads": 1, "partial_rotary_factor": 1.0}),
    "youtu": Case("youtu"),
    "youtu with attention bias, without q lora": Case(
        "youtu", {"attention_bias": True, "q_lora_rank": None, "tie_word_embeddings": False}
    ),
    "axk1": Case("axk1"),
    "axk1, experts in every other layer": Case(
        "axk1", {"num_hidden_layers": 5, "first_k_dense_replace": 1, "moe_layer_freq": 2}
    ),
    "minicpm3": Case("minicpm3"),
    "minicpm3 with a tied head": Case("minicpm3", {"scale_emb": 3, "scale_depth": 1.1, "tie_word_embeddings": True}),
    "minicpm3 with longrope": Case("minicpm3", {"rope_parameters": longrope()}),
    "minicpm3 with longrope, short": Case("minicpm3", {"rope_parameters": longrope(128, factor=2.0)}),
    "minicpm3 with biases, no scalings": Case(
        "minicpm3", {"attention_bias": True, "mlp_bias": True, "scale_depth": None, "dim_model_base": None}
    ),
    "mistral4": Case("mistral4"),
    "mistral4 with a dense layer": Case("mistral4", {"first_k_dense_replace": 2, "n_group": 1, "topk_group": 1}),
    "mistral3": Case("mistral3"),
    "longcat_flash": Case("longcat_flash"),
    "longcat_flash with yarn, fused": Case(
        "longcat_flash",
        # A factor of 40 would make rows so sharp that rounding alone exceeds the limits.
        {"rope_parameters": yarn(4.0, mscale=1.0, mscale_all_dim=1.0), "attention_bias": True},
        {"save_original_format": False},
    ),
    "deepseek_v32": Case("deepseek_v32"),
    "deepseek_v32 as long as it is dense": Case("deepseek_v32", {"index_topk": TOKENS}),
    "glm_moe_dsa": Case("glm_moe_dsa"),
    "kimi_k25": Case("kimi_k25"),
    "kimi_k25 as in memory": Case("kimi_k25", {}, {"save_original_format": False}),
}


@torch.no_grad()
def run_both(case: Case, folder: Path) -> Both:
    theirs = make_checkpoint(folder, case.family, save=case.save, **case.overrides)
    if case.rewrite is not None:
        case.rewrite(folder)
    decoder = load(read_checkpoint(folder), device=CPU)
    ids_T = torch.randint(0, 257, (TOKENS,), generator=torch.Generator().manual_seed(1))
    routing: list[tuple[Tensor, Tensor, Tensor]] = []
    layers = getattr(theirs.model, "language_model", theirs.model).layers
    gates = [gate for layer in layers if (gate := getattr(layer.mlp, "gate", getattr(layer.mlp, "router", None)))]
    hooks = [gate.register_forward_hook(lambda _gate, _inputs, answer: routing.append(answer)) for gate in gates]
    their_output = theirs(ids_T[None], output_attentions=True, use_cache=True)
    for hook in hooks:
        hook.remove()
    cache, probe = decoder.new_cache(), new_probe(decoder, TOKENS)
    logits_TV = decoder.step(ids_T, cache, probe=probe, logits="all")
    return Both(case.family, theirs, decoder, ids_T, their_output, routing, logits_TV, cache, probe)
