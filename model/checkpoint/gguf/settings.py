"""From the keys of a GGUF file of architecture deepseek2 to the keys of the `config.json` it was made from.

What the keys mean is fixed by llama.cpp's converter and loader (conversion/deepseek.py, llama-model.cpp).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn

import numpy as np

from model.problems import Problem
from model.tensorfile import Entry

ARCHITECTURE = "deepseek2"
_SOFTMAX, _SIGMOID = 1, 2
_SHOWN = 8  # elements of an array where none belongs


@dataclass(frozen=True, slots=True)
class Metadata:
    """The key-values of one file, asked for by what they are called behind the architecture."""

    values: Mapping[str, object]
    tensors: Mapping[str, Entry]
    where: str

    def get(self, key: str) -> object:
        """The value of `deepseek2.KEY`, or None. Floats come as the decimal number that was meant."""
        value = self.top(f"{ARCHITECTURE}.{key}")
        return _decimal(value) if isinstance(value, float) else value

    def top(self, key: str) -> object:
        """The value of a key by its whole name, or None. No key that is asked for here has an array; one is cut."""
        value = self.values.get(key)
        return value[:_SHOWN].tolist() if isinstance(value, np.ndarray) else value

    def whole(self, key: str, default: int | None = None) -> int:
        """A whole number. Raises Problem."""
        value = self.get(key)
        if value is None and default is not None:
            return default
        if type(value) is not int or value < 0:
            self.refuse(key, "a whole number")
        return value

    def number(self, key: str, default: float) -> float:
        """A number. Raises Problem."""
        value = self.get(key)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.refuse(key, "a number")
        return float(value)

    def refuse(self, key: str, allowed: str) -> NoReturn:
        """Raise the Problem about one key."""
        value = self.get(key)
        said = "has no" if value is None else f"has {ascii(value)[:60]} for"
        raise Problem(f"{self.where} {said} {ARCHITECTURE}.{key}; it must be {allowed}.")


def config_values(metadata: Metadata, notes: list[str]) -> dict[str, object]:
    """What `config.json` would say. Raises Problem for another architecture, and for keys of the wrong kind."""
    architecture = metadata.top("general.architecture")
    if architecture != ARCHITECTURE:
        raise Problem(
            f"{metadata.where} has the architecture {ascii(architecture)[:60]}; of GGUF only {ARCHITECTURE} is read."
        )
    values: dict[str, object] = {
        "vocab_size": _vocabulary(metadata),
        "hidden_size": metadata.whole("embedding_length"),
        "intermediate_size": metadata.whole("feed_forward_length"),
        "num_hidden_layers": metadata.whole("block_count") - metadata.whole("nextn_predict_layers", 0),
        "num_attention_heads": metadata.whole("attention.head_count"),
        "max_position_embeddings": metadata.whole("context_length"),
        "rms_norm_eps": metadata.number("attention.layer_norm_rms_epsilon", 1e-6),
        "attention_bias": "blk.0.attn_output.bias" in metadata.tensors,
        "tie_word_embeddings": "output.weight" not in metadata.tensors,
        "rope_interleave": True,
        "bos_token_id": metadata.top("tokenizer.ggml.bos_token_id"),
        "eos_token_id": _ends(metadata),
    }
    return values | _attention(metadata) | _experts(metadata, notes) | _rope(metadata)


def _attention(metadata: Metadata) -> dict[str, object]:
    """Widths; where kv_b is split, key_length and value_length are those of the latent, and *_mla those meant here."""
    rotary = metadata.whole("rope.dimension_count")
    key_length = metadata.whole("attention.key_length_mla", 0) or metadata.whole("attention.key_length")
    value_length = metadata.whole("attention.value_length_mla", 0) or metadata.whole("attention.value_length")
    return {
        "q_lora_rank": metadata.whole("attention.q_lora_rank", 0) or None,
        "kv_lora_rank": metadata.whole("attention.kv_lora_rank"),
        "qk_rope_head_dim": rotary,
        "qk_nope_head_dim": key_length - rotary,
        "v_head_dim": value_length,
    }


def _experts(metadata: Metadata, notes: list[str]) -> dict[str, object]:
    experts = metadata.whole("expert_count", 0)
    if not experts:
        return {"model_type": "deepseek_v3", "n_routed_experts": None, "n_shared_experts": None} | _DENSE
    sigmoid = _is_sigmoid(metadata, notes)
    groups = metadata.whole("expert_group_count", 0)
    if not groups:
        notes.append("The file names no expert groups: experts are chosen among all, as older converters meant it.")
    # Files of models without a factor have 0 or nothing here; llama.cpp does not scale then.
    scale = metadata.number("expert_weights_scale", 0.0) or 1.0
    return {
        "model_type": "deepseek_v3" if sigmoid else "deepseek_v2",
        "moe_intermediate_size": metadata.whole("expert_feed_forward_length"),
        "n_routed_experts": experts,
        "n_shared_experts": metadata.whole("expert_shared_count", 0),
        "num_experts_per_tok": metadata.whole("expert_used_count"),
        "first_k_dense_replace": metadata.whole("leading_dense_block_count", 0),
        "topk_method": "noaux_tc" if sigmoid else "group_limited_greedy" if groups > 1 else "greedy",
        "n_group": groups or 1,
        "topk_group": metadata.whole("expert_group_used_count", 0) or groups or 1,
        "norm_topk_prob": metadata.get("expert_weights_norm") or False,
        "routed_scaling_factor": scale,
    }


# What a dense model needs no numbers for, so that no default of the family counts as missing.
_DENSE: dict[str, object] = {
    "moe_intermediate_size": 1,
    "num_experts_per_tok": 1,
    "first_k_dense_replace": 0,
    "n_group": 1,
    "topk_group": 1,
    "norm_topk_prob": False,
    "routed_scaling_factor": 1.0,
}


def _is_sigmoid(metadata: Metadata, notes: list[str]) -> bool:
    """The router's scores. Files from before the key are V2's, with a softmax; but only sigmoid routers have a bias."""
    function = metadata.get("expert_gating_func")
    if function in (_SOFTMAX, _SIGMOID):
        return function == _SIGMOID
    if function not in (None, 0):
        metadata.refuse("expert_gating_func", "1 (softmax) or 2 (sigmoid)")
    biased = any(".exp_probs_b" in name for name in metadata.tensors)
    kind = "sigmoid, since its routers have a bias" if biased else "softmax"
    notes.append(f"The file does not say how experts are scored: {kind}.")
    return biased


def _rope(metadata: Metadata) -> dict[str, object]:
    theta = metadata.number("rope.freq_base", 10_000.0)
    kind = metadata.get("rope.scaling.type") or "none"
    factor = metadata.number("rope.scaling.factor", 1.0)
    if kind != "yarn":
        if kind not in ("none", "linear") or factor not in (0.0, 1.0):
            metadata.refuse("rope.scaling.type", "none or yarn")
        return {"rope_parameters": {"rope_type": "default", "rope_theta": theta}}
    scaling: dict[str, object] = {
        "rope_type": "yarn",
        "rope_theta": theta,
        "factor": factor,
        "original_max_position_embeddings": metadata.whole("rope.scaling.original_context_length"),
        "beta_fast": metadata.number("rope.scaling.yarn_beta_fast", 32.0),
        "beta_slow": metadata.number("rope.scaling.yarn_beta_slow", 1.0),
    }
    if (multiplier := metadata.number("rope.scaling.yarn_log_multiplier", 0.0)) != 0.0:
        # For deepseek2 the converter writes 0.1 · mscale_all_dim. mscale is not in the file; in every release both
        # are the same, so that cos and sin are not scaled.
        scaling["mscale"] = scaling["mscale_all_dim"] = round(10 * multiplier, 6)
    return {"rope_parameters": scaling}


def _vocabulary(metadata: Metadata) -> int:
    embedding = metadata.tensors.get("token_embd.weight")
    if embedding is None or len(embedding.shape) != 2:
        raise Problem(f"{metadata.where} has no token_embd.weight with rows; if it is one of several parts, get all.")
    return embedding.shape[0]


def _ends(metadata: Metadata) -> list[object]:
    """Ids that end a text or a turn."""
    names = ("eos_token_id", "eot_token_id")
    values = (metadata.top(f"tokenizer.ggml.{name}") for name in names)
    return [value for value in values if value is not None]


def _decimal(value: float) -> float:
    """The shortest decimal number that float32 stores as this value: 2.446 and not 2.4460000991821289."""
    with np.errstate(over="ignore"):
        single = np.float32(value)
    return float(str(single)) if float(single) == value else value
