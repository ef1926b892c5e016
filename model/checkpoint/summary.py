"""What a person is told about a checkpoint before it is loaded: sizes, KV cache, memory."""

from math import prod

import torch

from model.checkpoint.checkpoint import Checkpoint
from model.checkpoint.memory import free_bytes
from model.checkpoint.plan import Plan, make_plan
from model.config import DTYPE_BYTES, DtypeName
from model.kv_bytes import kv_bytes_per_token
from model.messages import CheckpointSummary, DtypeChoice
from model.shapes import parameters_active, parameters_total, tensor_shapes


def summarise(checkpoint: Checkpoint, *, dtype: DtypeChoice = "auto", plan: Plan | None = None) -> CheckpointSummary:
    """Describe a checkpoint for a run in `dtype`; "auto" is the checkpoint's own. The default plan is the CPU's."""
    run_dtype: DtypeName = checkpoint.dtype if dtype == "auto" else dtype
    plan = plan or make_plan(checkpoint, dtype=run_dtype, device=torch.device("cpu"))
    kv_bytes = kv_bytes_per_token(checkpoint.config, DTYPE_BYTES[run_dtype])
    return CheckpointSummary(
        path=str(checkpoint.path),
        name=checkpoint.name,
        config=checkpoint.config,
        parameters_total=parameters_total(checkpoint.config),
        parameters_active=parameters_active(checkpoint.config),
        kv_bytes_per_token={str(kind): count for kind, count in kv_bytes.items()},
        dtype=run_dtype,
        file_bytes=checkpoint.file_bytes,
        weight_bytes=weight_bytes(checkpoint, dtype=run_dtype),
        free_bytes=free_bytes(),
        has_tokenizer=checkpoint.has_tokenizer,
        has_chat_template=checkpoint.has_chat_template,
        notes=list(checkpoint.notes),
        formats=dict(checkpoint.formats),
        resident_bytes=plan.resident_bytes,
        expert_cache_bytes=plan.expert_cache_bytes,
        largest_expert_bytes=plan.expert_bytes,
        fits=plan.fits,
    )


def weight_bytes(checkpoint: Checkpoint, *, dtype: DtypeName) -> int:
    """Memory of all weights in `dtype`; routers stay float32."""
    return sum(
        prod(shape) * (4 if ".mlp.gate." in name else DTYPE_BYTES[dtype])
        for name, shape in tensor_shapes(checkpoint.config).items()
    )
