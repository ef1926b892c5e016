"""The finished weights as an ordinary Hugging Face folder."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from model.config import ModelConfig
from model.training.recipe import DOCUMENT_END, DOCUMENT_END_ID, Recipe


def rounded(masters: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights as they are stored."""
    return {name: tensor.detach().to(torch.bfloat16).contiguous() for name, tensor in masters.items()}


def export(
    folder: Path, *, config: ModelConfig, recipe: Recipe, weights: dict[str, Tensor], tokenizer_file: Path
) -> None:
    """Write config, weights (under their checkpoint names) and tokenizer; a tied head not at all."""
    write_folder(
        folder, config=config, values=config_json(config, recipe), weights=weights, tokenizer_file=tokenizer_file
    )


def write_folder(
    folder: Path, *, config: ModelConfig, values: dict[str, Any], weights: dict[str, Tensor], tokenizer_file: Path
) -> None:
    """The folder of any model trained here; `values` are its config.json."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "model.safetensors").chmod(0o644)  # safetensors makes it readable by its owner alone
    write_json(folder / "config.json", values)
    write_json(folder / "generation_config.json", GENERATION)
    write_json(folder / "tokenizer_config.json", tokenizer_json(config))
    (folder / "tokenizer.json").write_bytes(tokenizer_file.read_bytes())


def write_json(file: Path, content: object) -> None:
    """Indented, with a line end; lists of numbers take one line each element, as everywhere in these folders."""
    file.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


GENERATION = {
    "_from_model_config": True,
    "bos_token_id": DOCUMENT_END_ID,
    "eos_token_id": DOCUMENT_END_ID,
    "do_sample": True,
    "temperature": 0.8,
    "top_p": 0.95,
}


def tokenizer_json(config: ModelConfig) -> dict[str, Any]:
    """tokenizer_config.json: `<|endoftext|>` both opens a text and ends it."""
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "add_bos_token": True,
        "add_eos_token": False,
        "bos_token": DOCUMENT_END,
        "eos_token": DOCUMENT_END,
        "unk_token": None,
        "clean_up_tokenization_spaces": False,
        "model_max_length": config.max_position_embeddings,
    }


def config_json(config: ModelConfig, recipe: Recipe) -> dict[str, Any]:
    """config.json with the keys of DeepSeek-V2's own files, which transformers still reads."""
    assert config.router is not None
    router = config.router
    return {
        "architectures": ["DeepseekV2ForCausalLM"],
        "model_type": config.model_type,
        "attention_bias": config.attention_bias,
        "attention_dropout": 0.0,
        "aux_loss_alpha": recipe.expert_balance,
        "bos_token_id": config.bos_token_id,
        "eos_token_id": config.eos_token_ids[0],
        "first_k_dense_replace": config.moe_layers[0],
        "hidden_act": "silu",
        "hidden_size": config.hidden_size,
        "initializer_range": 0.02,
        "intermediate_size": config.intermediate_size,
        "kv_lora_rank": config.kv_lora_rank,
        "max_position_embeddings": config.max_position_embeddings,
        "mlp_bias": config.mlp_bias,
        "moe_intermediate_size": config.moe_intermediate_size,
        "moe_layer_freq": 1,
        "n_group": router.groups,
        "n_routed_experts": router.experts,
        "n_shared_experts": config.shared_experts,
        "norm_topk_prob": router.normalise,
        "num_attention_heads": config.heads,
        "num_experts_per_tok": router.experts_per_token,
        "num_hidden_layers": config.layers,
        "num_key_value_heads": config.heads,
        "pretraining_tp": 1,
        "q_lora_rank": config.q_lora_rank,
        "qk_nope_head_dim": config.qk_nope_head_dim,
        "qk_rope_head_dim": config.qk_rope_head_dim,
        "rms_norm_eps": config.rms_norm_eps,
        "rope_scaling": None,
        "rope_theta": config.rope.theta,
        "routed_scaling_factor": router.scaling_factor,
        "scoring_func": router.scoring,
        "seq_aux": False,
        "tie_word_embeddings": config.tie_word_embeddings,
        "topk_group": router.groups_per_token,
        "topk_method": router.method,
        "torch_dtype": config.dtype,
        "use_cache": True,
        "v_head_dim": config.v_head_dim,
        "vocab_size": config.vocab_size,
    }
