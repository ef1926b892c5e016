"""One head's queries and keys, rebuilt from a recording for any tokens, as matrices whose product is the scores.

A row of keys is content first, then position: W_UK c_kv and k_rope [N + R], so one product gives a whole score and
products of the parts give content and position. Few queries are better absorbed: W_UK is moved into them, and the
keys are the latents as they are, c_kv and k_rope [C + R]. Without latents (MHA, GQA, MQA) a head's keys are in the
cache, its own or its group's, and nothing is absorbed.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.lenses.scores import rotations
from model.messages import Quantity
from model.network.rope import query_temperature, rotate, softmax_scale
from model.recording.bits import as_array, as_tensor
from model.recording.projections import Projections
from model.recording.recording import Recording

Positions = NDArray[np.int64]


class HeadReader:
    """One head of one layer of a run. Reads no more than it is asked for, and keeps only weights of this head."""

    def __init__(self, recording: Recording, projections: Projections, *, layer: int, head: int) -> None:
        self.recording, self.layer, self.head = recording, layer, head
        self.config = config = recording.info.config
        weights = projections.layer(layer)
        self.device = weights.q_weight.device
        nope, width = config.qk_nope_head_dim, config.qk_head_dim
        self._q_XS = weights.q_weight[head * width : (head + 1) * width]
        self.content_width, self.rope_width, self.width = nope, config.qk_rope_head_dim, width
        self.has_latents = weights.kv_b is not None
        self.latent_width = width
        if weights.kv_b is not None:
            self.w_uk_NC = weights.kv_b.unflatten(0, (config.heads, -1))[head, :nope].float()
            self.latent_width = config.kv_lora_rank + config.qk_rope_head_dim
        self._narrow: dict[tuple[str, torch.dtype], Tensor] = {}  # weights in the dtypes they were multiplied in

    def absorbs(self, rows: int) -> bool:
        """Whether moving W_UK into `rows` queries is less work than restoring the keys' content."""
        nope, rank = self.config.qk_nope_head_dim, self.config.kv_lora_rank
        return self.has_latents and rows * (rank - nope) <= rank * nope

    @torch.no_grad()
    def queries(self, tokens: Positions, dtype: torch.dtype = torch.float32) -> Tensor:
        """Content and rotated part of these tokens' queries, scaled, as the model had them: float32 [q, N + R].

        `dtype` is that of the one product in it.
        """
        config = self.config
        source = self.recording.heavy_at("query_source", tokens, layer_row=self.layer)
        source_QS = as_tensor(source).to(self.device).to(dtype)
        q_QX = torch.mm(source_QS, self._in(dtype, "q", self._q_XS).T).float().mul_(softmax_scale(config))
        at = torch.from_numpy(tokens).to(self.device)
        if config.query_temperature is not None:
            q_QX *= query_temperature(config.query_temperature, at).unsqueeze(1)
        table = rotations(config.rope, config.qk_rope_head_dim, self.device)
        turned = table.at(at, length=self.recording.info.prompt_tokens)
        # Checkpoints without latents have a query's rotated part first.
        split = self.content_width if self.has_latents else self.rope_width
        parts = q_QX[:, :split], q_QX[:, split:]
        content_QN, rope_QR = parts if self.has_latents else parts[::-1]
        rotated = rotate(rope_QR.unsqueeze(1), turned, interleaved=config.rope.interleaved)
        return torch.cat((content_QN, rotated.squeeze(1)), dim=1)

    @torch.no_grad()
    def absorbed(self, q_QX: Tensor) -> Tensor:
        """The same queries against latents, [q, C + R]."""
        return torch.cat((torch.mm(q_QX[:, : self.content_width], self.w_uk_NC), q_QX[:, self.content_width :]), dim=1)

    def latents(self, start: int, end: int, *, out: Tensor) -> Tensor:
        """c_kv and k_rope of tokens start … end − 1 side by side, [k, C + R], in the first rows of `out`.

        Without latents the head's keys.
        """
        rank, width = self.config.kv_lora_rank, self.width
        if not self.has_latents:
            group = self.head * self.recording.columns["k"].shape[1] // width // self.config.heads
            self._copy("k", start, end, out, slice(group * width, (group + 1) * width))
        else:
            self._copy("c_kv", start, end, out[:, :rank])
            self._copy("k_rope", start, end, out[:, rank:])
        return out[: end - start]

    @torch.no_grad()
    def keys(self, start: int, end: int, *, out: Tensor, latents: Tensor) -> Tensor:
        """Content and position of the keys of tokens start … end − 1: [k, N + R] in the first rows of `out`."""
        rank = self.config.kv_lora_rank
        from_KC = self.latents(start, end, out=latents)
        to = out[: end - start]
        if not self.has_latents:
            return to.copy_(from_KC)
        w_uk_NC = self._in(to.dtype, "w_uk", self.w_uk_NC)
        torch.mm(from_KC[:, :rank].to(to.dtype), w_uk_NC.T, out=to[:, : self.content_width])
        to[:, self.content_width :] = from_KC[:, rank:]
        return to

    def columns(self, quantity: Quantity) -> slice:
        """Which columns of queries and keys make a quantity's scores."""
        if quantity == "probability":
            return slice(0, self.width)
        return slice(0, self.content_width) if quantity == "content" else slice(self.content_width, self.width)

    def _copy(self, name: str, start: int, end: int, out: Tensor, columns: slice = slice(None)) -> None:
        """A column's rows of these tokens, straight into `out` where its numbers are the recording's own."""
        for at, values in self.recording.heavy_parts(name, layer_row=self.layer, start=start, end=end):
            to, rows = out[at : at + len(values)], values[:, columns]
            own = as_array(to) if to.device.type == "cpu" else None
            if own is not None and own.dtype == rows.dtype:
                np.copyto(own, rows)
            else:
                to.copy_(as_tensor(rows.copy()))  # the recording's may be read-only, which torch warns of

    def _in(self, dtype: torch.dtype, name: str, weight: Tensor) -> Tensor:
        """A weight in a dtype, converted once."""
        found = self._narrow.get((name, dtype))
        if found is None:
            found = self._narrow[name, dtype] = weight.to(dtype)
        return found
