"""How the KV cache grew: bytes really held, and what other attention forms would have taken. Torch-free."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from model.config import DTYPE_BYTES, DtypeName, ModelConfig
from model.kv_bytes import kv_bytes_per_token

Bytes = NDArray[np.int64]


class MemorySeries(NamedTuple):
    """Per step, int64 [n]: tokens fed once it was done, bytes held (reserve included), used, and by formula."""

    tokens: NDArray[np.int64]
    measured_bytes: Bytes
    used_bytes: Bytes
    mla_bytes: Bytes
    mha_bytes: Bytes
    gqa_bytes: Bytes
    mqa_bytes: Bytes


def memory_series(
    tokens: NDArray[np.generic],
    measured: NDArray[np.generic],
    used: NDArray[np.generic],
    config: ModelConfig,
    dtype: DtypeName,
) -> MemorySeries:
    """The series of a run in `dtype`, from its step columns `tokens`, `measured_bytes` and `used_bytes`."""
    fed = tokens.astype(np.int64)
    each = kv_bytes_per_token(config, DTYPE_BYTES[dtype])
    formula = (fed * each[form] for form in ("mla", "mha", "gqa", "mqa"))
    return MemorySeries(fed, measured.astype(np.int64), used.astype(np.int64), *formula)
