"""The decode step in use: on a CPU torch's until the kernels are compiled, then theirs; on CUDA a graph of torch's.

Where the kernels or a graph cannot do it torch does.

Nothing here waits for the compiler but `DecodeStep.wait`. numba is imported in the compiling thread: it may be
missing, and takes as long to import as a small model to load.
"""

from __future__ import annotations

import importlib
import threading
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from model.network.cache import KvCache
from model.network.cuda_decode.graph import graph_step_of
from model.network.decoder import Decoder
from model.probe import Probe

if TYPE_CHECKING:
    from model.network.cpu_decode.step import KernelStep

COVERED = (torch.float32, torch.bfloat16)


class _Compilation:
    """Kernels for one dtype: `module` is there once they are compiled, None for ever when that fails."""

    def __init__(self, dtype: torch.dtype) -> None:
        self.done = threading.Event()
        self.module: Any = None
        self._dtype = dtype
        threading.Thread(target=self._compile, name="kernel compiler", daemon=True).start()

    def _compile(self) -> None:
        try:
            module = importlib.import_module("model.network.cpu_decode.step")
            module.compile_for(self._dtype)
            self.module = module
        except Exception:  # noqa: BLE001  # whatever is wrong with the compiler, torch does the step
            self.module = None
        finally:
            self.done.set()


_compilations: dict[torch.dtype, _Compilation] = {}


def prepare(dtype: torch.dtype, device: torch.device) -> None:
    """Start compiling in the background, unless that has been done or torch does such steps anyway."""
    if device.type == "cpu" and dtype in COVERED and dtype not in _compilations:
        _compilations[dtype] = _Compilation(dtype)


class DecodeStep:
    """One token's step of one decoder, on `threads` threads. One call at a time."""

    def __init__(self, decoder: Decoder, *, threads: int) -> None:
        prepare(decoder.dtype, decoder.device)
        self._decoder = decoder
        self._threads = threads
        self._kernels: KernelStep | None = None
        self._compilation = _compilations.get(decoder.dtype) if decoder.device.type == "cpu" else None
        self._graph = graph_step_of(decoder)

    @property
    def by_kernels(self) -> bool:
        """Whether the next step is the kernels'."""
        if self._compilation is not None and self._compilation.done.is_set():
            module, self._compilation = self._compilation.module, None
            self._kernels = None if module is None else module.step_of(self._decoder, self._threads)
        return self._kernels is not None

    @property
    def by_graph(self) -> bool:
        """Whether the next step is a CUDA graph's."""
        return self._graph is not None and not self._graph.note

    @property
    def note(self) -> str:
        """One sentence when a faster way had to be given up during this run, otherwise nothing."""
        return "" if self._graph is None else self._graph.note

    def wait(self) -> None:
        """Until it is settled who does the steps; for proofs and measurements."""
        if self._compilation is not None:
            self._compilation.done.wait()

    def likeliest(self, logits_V: Tensor, most: int) -> tuple[list[int], list[float]]:
        """The tokens of the `most` greatest logits [V], best first, and their log-probabilities.

        These are NaN when a logit is not finite.
        """
        if self._kernels is not None and logits_V.dtype == torch.float32:
            return self._kernels.likeliest(logits_V.contiguous(), most)
        top = logits_V.log_softmax(0).topk(most)
        return top.indices.tolist(), top.values.tolist()

    def __call__(self, ids_T: Tensor, cache: KvCache, *, probe: Probe[Tensor] | None = None) -> Tensor:
        """Feed one token behind the cached ones; float32 logits [1, V]."""
        if self._graph is not None:
            return self._graph(ids_T, cache, probe=probe)
        if self._kernels is None and not self.by_kernels:
            return self._decoder.step(ids_T, cache, probe=probe, absorbed=True)
        assert self._kernels is not None
        return self._kernels(ids_T, cache, probe=probe)
