"""What the speed of this program has to keep to, and the ratios that are held against it."""

from model.config import DtypeName, ModelConfig
from model.engine.threads import CACHED_BYTES
from model.messages import Measurement
from model.shapes import step_bytes

RECORDING = 0.95  # recorded speed over plain speed, at least
LONG_CONTEXT = 2048
GROWTH = 1.1  # private memory over what the cache and the recording show, at most
TIME_GROWTH = 1.0  # growth of a token's time over growth of the latents it reads, at most


def decode_limit(config: ModelConfig, dtype: DtypeName, context: int) -> float:
    """Times the peer's speed, at least. Small models cost the peer its overhead, large ones only bandwidth."""
    if step_bytes(config, dtype, 0) <= CACHED_BYTES:
        return 8.0
    if context >= LONG_CONTEXT:
        return 15.0
    return 2.7 if dtype == "float32" else 3.5


def bandwidth_limit(config: ModelConfig, dtype: DtypeName, context: int) -> float | None:
    """Share of the memory's bandwidth, at least; None where caches serve the weights or latents are the larger part."""
    if context >= LONG_CONTEXT or step_bytes(config, dtype, 0) <= CACHED_BYTES:
        return None
    return 0.75 if dtype == "float32" else 0.7


def prefill_limit(tokens: int) -> float:
    """Times the peer's speed, at least."""
    return 2.0 if tokens >= LONG_CONTEXT else 1.2


def against(value: float, unit: str, peer: float, limit: float | None = None) -> Measurement:
    """A figure beside another of the same unit."""
    return Measurement(value=value, unit=unit, peer=peer, ratio=value / peer, limit=limit)
