"""What a person is told about a checkpoint before it is loaded: sizes, KV cache, memory."""

import os
from math import prod
from pathlib import Path

from model.checkpoint.checkpoint import Checkpoint
from model.config import DTYPE_BYTES, DtypeName
from model.kv_bytes import kv_bytes_per_token
from model.messages import CheckpointSummary, DtypeChoice
from model.shapes import parameters_active, parameters_total, tensor_shapes

_MEMORY_TABLE = Path("/proc/meminfo")


def summarise(checkpoint: Checkpoint, *, dtype: DtypeChoice = "auto") -> CheckpointSummary:
    """Describe a checkpoint for a run in `dtype`; "auto" is the checkpoint's own."""
    run_dtype: DtypeName = checkpoint.dtype if dtype == "auto" else dtype
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
        notes=list(checkpoint.notes),
        formats=dict(checkpoint.formats),
    )


def weight_bytes(checkpoint: Checkpoint, *, dtype: DtypeName) -> int:
    """Memory of all weights in `dtype`; routers stay float32."""
    return sum(
        prod(shape) * (4 if ".mlp.gate." in name else DTYPE_BYTES[dtype])
        for name, shape in tensor_shapes(checkpoint.config).items()
    )


def free_bytes() -> int:
    """Memory that programs can still get without swapping; an estimate."""
    if _MEMORY_TABLE.exists():
        for line in _MEMORY_TABLE.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
