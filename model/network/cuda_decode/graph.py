"""Steps of one token as a CUDA graph: one launch in place of some hundred, of which the device would wait for most.

A graph belongs to a cache's tensors as they are, and the cache grows by a quarter at a time, so a long run captures
a few. The first step behind new tensors runs as it is, since libraries may set themselves up only outside a capture.
"""

import logging
from collections.abc import Callable

import torch
from torch import Tensor

from model.network.cache import KvCache
from model.network.cuda_decode.static import StaticStep, side_by_side
from model.network.decoder import Decoder
from model.probe import Probe

Replay = Callable[[], Tensor]
Capture = Callable[[Callable[[], Tensor], torch.device], Replay]
_PROBED = ("query_source", "router_scores", "expert_ids", "expert_weights", "margins")


def captured(run: Callable[[], Tensor], device: torch.device) -> Replay:
    """A graph of what `run` launches; each call repeats that and returns the tensor that `run` did.

    Raises RuntimeError for what cannot be captured.
    """
    graph, stream = torch.cuda.CUDAGraph(), torch.cuda.Stream(device)
    # Threads that have nothing to do with this may use the device in the meantime.
    with torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
        told = run()

    def replay() -> Tensor:
        graph.replay()
        return told

    return replay


class GraphStep:
    """Called like `Decoder.step` in its absorbed form for one token. `note` says why torch's step took over, if so."""

    def __init__(self, decoder: Decoder, beside: Decoder, *, capture: Capture = captured) -> None:
        self.note = ""
        self._decoder, self._beside = decoder, beside
        self._capture = capture
        self._static: StaticStep | None = None
        self._replay: Replay | None = None

    def __call__(self, ids_T: Tensor, cache: KvCache, *, probe: Probe[Tensor] | None = None) -> Tensor:
        """Feed one token behind the cached ones; float32 logits [1, V]."""
        # A cache that counts who reads it must be asked for its rows.
        if not self.note and type(cache) is KvCache:
            try:
                return self._step(ids_T, cache, probe)
            except RuntimeError as error:
                self._give_up(error)
        return self._decoder.step(ids_T, cache, probe=probe, absorbed=True)

    def _step(self, ids_T: Tensor, cache: KvCache, probe: Probe[Tensor] | None) -> Tensor:
        cache.reserve(1)
        static, told = self._static, None
        if static is None or not static.serves(cache):
            self._static = self._replay = None  # gives its memory back before more is taken
            static = StaticStep(self._beside, cache)
            static.place(ids_T, cache.length)
            told = static.run()
            self._static = static
        else:
            static.place(ids_T, cache.length)
            if self._replay is None:
                self._replay = self._capture(static.run, self._beside.device)
            told = self._replay().clone()  # the next step writes there again
        if probe is not None:
            for name in _PROBED:
                getattr(probe, name)[:, :1] = getattr(static.probe, name)
            probe.tokens = 1
        cache.advance(1)
        return told

    def _give_up(self, error: RuntimeError) -> None:
        logging.getLogger(__name__).warning("no CUDA graph", exc_info=error)
        self._static = self._replay = None
        reason = (str(error) or type(error).__name__).splitlines()[0].rstrip(".")
        self.note = f"Decoding goes on without a CUDA graph: {reason}."


def graph_step_of(decoder: Decoder) -> GraphStep | None:
    """Steps as a graph, or None where they cannot be one: on other devices, with experts that are brought in."""
    beside = side_by_side(decoder) if decoder.device.type == "cuda" else None
    return None if beside is None else GraphStep(decoder, beside)
