"""Where a recorded step's values come from: views of the probe's and the cache's tensors."""

from torch import Tensor

from model.network.cache import KvCache
from model.probe import Probe
from model.recording.bits import as_array
from model.recording.chunk import Values

PROBED = ("query_source", "router_scores", "expert_ids", "expert_weights", "margins")


class Sources:
    """numpy views of the probe's and the cache's tensors, made again only when those are others."""

    def __init__(self) -> None:
        self._probe: tuple[Probe[Tensor], int] | None = None
        self._probed: list[Values] = []
        self._cache_tensor: Tensor | None = None
        self._cached: list[Values] = []

    def rows(self, probe: Probe[Tensor], cache: KvCache, count: int, logits: Tensor | None) -> list[Values]:
        """The step's rows [rows, count, …], in the order PROBED, what the cache keeps, logits."""
        start, end = cache.length - count, cache.length
        kept = [] if logits is None else [_numpy(logits).reshape(1, count, -1)]
        if cache.first_LTX.device.type != "cpu":
            tensors = [getattr(probe, name)[:, :count] for name in PROBED]
            tensors += [cache.first_LTX[:, start:end], cache.second_LTY[:, start:end]]
            return [*[_numpy(tensor) for tensor in tensors], *kept]
        if self._probe is None or probe is not self._probe[0] or count != self._probe[1]:
            self._probe = probe, count
            self._probed = [_numpy(getattr(probe, name))[:, :count] for name in PROBED]
        if cache.first_LTX is not self._cache_tensor:
            self._cache_tensor = cache.first_LTX
            self._cached = [_numpy(cache.first_LTX), _numpy(cache.second_LTY)]
        return [*self._probed, *[values[:, start:end] for values in self._cached], *kept]


def _numpy(tensor: Tensor) -> Values:
    """The values in CPU memory, shared when they are there already; bfloat16 as its bits."""
    return as_array(tensor.detach().cpu())
