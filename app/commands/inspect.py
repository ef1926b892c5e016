"""`inspect DIR`: a checkpoint described from its headers; no weight is read."""

from argparse import Namespace

from app.bundled import checkpoint_path
from app.commands.conversation import Conversation
from app.commands.output import show
from model.messages import CheckpointSummary, Describe, Described


def run(options: Namespace) -> int:
    """Print the description. Raises Problem for what is not a checkpoint."""
    with Conversation() as engine:
        described = engine.last(Describe(path=checkpoint_path(options.folder), budget_bytes=options.budget))
    assert isinstance(described, Described)
    show(_result(described.summary), as_json=options.json)
    return 0


def _result(summary: CheckpointSummary) -> dict[str, object]:
    config = summary.config
    return {
        "name": summary.name,
        "path": summary.path,
        "family": config.family,
        "model_type": config.model_type,
        "layers": config.layers,
        "moe_layers": len(config.moe_layers),
        "heads": config.heads,
        "experts": config.router.experts if config.router else 0,
        "experts_per_token": config.router.experts_per_token if config.router else 0,
        "shared_experts": config.shared_experts,
        "vocab_size": config.vocab_size,
        "context": config.max_position_embeddings,
        "parameters_total": summary.parameters_total,
        "parameters_active": summary.parameters_active,
        "kv_bytes_per_token": summary.kv_bytes_per_token,
        "dtype": summary.dtype,
        "formats": summary.formats,
        "file_bytes": summary.file_bytes,
        "weight_bytes": summary.weight_bytes,
        "resident_bytes": summary.resident_bytes,
        "expert_cache_bytes": summary.expert_cache_bytes,
        "largest_expert_bytes": summary.largest_expert_bytes,
        "free_bytes": summary.free_bytes,
        "fits": summary.fits,
        "kv_bytes_full_context": summary.kv_bytes_per_token[config.attention] * config.max_position_embeddings,
        "dense_attention_tokens": config.dense_attention_tokens,
        "has_tokenizer": summary.has_tokenizer,
        "has_chat_template": summary.has_chat_template,
        "notes": summary.notes,
    }
