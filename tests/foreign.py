"""A checkpoint of another maker for pictures: `python -m tests.foreign FOLDER` has transformers write one.

DeepSeek-V3's mathematics (sigmoid router with bias, groups, YaRN) with random weights, sharded, no tokenizer.
"""

import sys
from pathlib import Path

from tests.parity.tiny import make_checkpoint, yarn

SHAPE = {
    "vocab_size": 4096,
    "hidden_size": 256,
    "intermediate_size": 512,
    "moe_intermediate_size": 64,
    "num_hidden_layers": 8,
    "num_attention_heads": 16,
    "num_key_value_heads": 16,
    "kv_lora_rank": 96,
    "q_lora_rank": 128,
    "qk_nope_head_dim": 32,
    "qk_rope_head_dim": 16,
    "v_head_dim": 32,
    "first_k_dense_replace": 2,
    "n_routed_experts": 32,
    "num_experts_per_tok": 4,
    "n_group": 8,
    "topk_group": 4,
    "max_position_embeddings": 4096,
}


def write(folder: Path) -> None:
    """Write the checkpoint, in shards."""
    make_checkpoint(folder, "v3", save={"max_shard_size": "20MB"}, rope_parameters=yarn(4.0), **SHAPE)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
