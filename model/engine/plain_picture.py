"""The benchmark's peers: the same picture of attention by plain torch, and from T × T arrays of all heads."""

import time
from collections.abc import Generator

import numpy as np
import torch
from torch import Tensor

from model.checkpoint.memory import free_bytes
from model.engine.synthetic import Synthetic
from model.lens_messages import Arithmetic
from model.lenses.arithmetic import DTYPES
from model.lenses.reader import HeadReader
from model.messages import Measurement

BLOCK = 256
HELD_COPIES = 3  # scores, weights and what makes them, as large as one another
HELD_SHARE = 2  # of free memory no more than this part is taken, since others need some


class PlainPicture:
    """Head 0 of a synthetic run in pixels × pixels cells by maximum; torch uses all threads as it likes."""

    def __init__(self, run: Synthetic, how: Arithmetic, *, pixels: int) -> None:
        self._run, self._dtype, self._pixels = run, DTYPES[how], pixels
        self._reader = HeadReader(run.recording, run.projections, layer=0, head=0)
        self._tokens = run.recording.tokens
        self.notes: list[str] = []

    @torch.no_grad()
    def sampled(self, rows: int) -> Tensor:
        """A picture of `rows` evenly spaced query rows, one of each for a row of cells."""
        keys_KX = self._keys()
        queries = (np.arange(1, rows + 1) * self._tokens) // rows - 1
        return torch.cat([self._cells(queries[a : a + BLOCK], keys_KX) for a in range(0, rows, BLOCK)]).cpu()

    @torch.no_grad()
    def every_row(self, step: int) -> Generator[None, None, float]:
        """Seconds for every row; with a step above 1 only every step-th block is done, and counts as many times."""
        began = time.perf_counter()
        keys_KX = self._keys()
        seconds = time.perf_counter() - began
        for start in range(0, self._tokens, BLOCK * step):
            began = time.perf_counter()
            # In the middle of the blocks that it stands for, so that their mean number of keys is its own.
            first = min(start + BLOCK * (step // 2), self._tokens - BLOCK)
            self._cells(np.arange(first, first + BLOCK), keys_KX).amax(dim=0).cpu()  # waits for the device
            seconds += step * (time.perf_counter() - began)
            yield
        if step > 1:
            self.notes.append(f"The peer's every_row is every {step}th block of rows, times {step}.")
        return seconds

    def _keys(self) -> Tensor:
        reader = self._reader
        latents = torch.empty((self._tokens, reader.latent_width), dtype=self._dtype, device=reader.device)
        out = torch.empty((self._tokens, reader.width), dtype=self._dtype, device=reader.device)
        return reader.keys(0, self._tokens, out=out, latents=latents)

    def _cells(self, queries: np.ndarray, keys_KX: Tensor) -> Tensor:
        keys = int(queries[-1]) + 1
        scores_QK = self._reader.queries(queries, self._dtype).to(self._dtype) @ keys_KX[:keys].T
        late_QK = (torch.arange(keys) > torch.from_numpy(queries)[:, None]).to(scores_QK.device)
        weights_QK = scores_QK.float().masked_fill_(late_QK, -torch.inf).softmax(dim=-1)
        cell = -(-self._tokens // self._pixels)
        padded = torch.nn.functional.pad(weights_QK, (0, cell * self._pixels - keys))
        pixels: Tensor = padded.unflatten(1, (-1, cell)).amax(dim=2)
        return pixels


@torch.no_grad()
def measure_held(run: Synthetic) -> Generator[None, None, tuple[dict[str, Measurement], list[str]]]:
    """Seconds and bytes of all heads' attention of one layer as [H, T, T] in float32, where memory has room for it."""
    config, tokens = run.recording.info.config, run.recording.tokens
    size = config.heads * tokens * tokens * 4
    measures = {"held_bytes": Measurement(value=float(size), unit="bytes")}
    if HELD_SHARE * HELD_COPIES * size > free_bytes():
        return measures, [f"{size / 1e9:,.1f} GB for one layer's attention: no room, so it has no time."]
    readers = [HeadReader(run.recording, run.projections, layer=0, head=head) for head in range(config.heads)]
    began = time.perf_counter()
    scores_HQK = torch.empty((config.heads, tokens, tokens))
    every = np.arange(tokens)
    for head, reader in enumerate(readers):
        latents = torch.empty((tokens, reader.latent_width))
        keys_KX = reader.keys(0, tokens, out=torch.empty((tokens, reader.width)), latents=latents)
        torch.mm(reader.queries(every), keys_KX.T, out=scores_HQK[head])
    late_QK = torch.ones((tokens, tokens), dtype=torch.bool).triu_(1)
    weights_HQK = scores_HQK.masked_fill_(late_QK, -torch.inf).softmax(dim=-1)
    cell = max(tokens // 1024, 1)
    torch.nn.functional.max_pool2d(weights_HQK[:1], cell)
    seconds = time.perf_counter() - began
    yield
    return measures | {"held": Measurement(value=seconds, unit="s")}, []
