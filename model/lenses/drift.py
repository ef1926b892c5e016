"""How far a head's rows move when latents are kept in fewer bits: exact, over every key that a query sees."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from model.lens_messages import LatentFormat
from model.lenses.quantise import rounded
from model.lenses.reader import HeadReader, Positions
from model.lenses.scorer import KEY_BLOCK
from model.lenses.workers import scratch

Floats = NDArray[np.float64]


@torch.no_grad()
def drift(
    reader: HeadReader, query_Q: Positions, formats: Sequence[LatentFormat], *, rope: bool
) -> Iterator[Floats | None]:
    """Total variation Σ|p − p′| / 2 of every query under every format, [formats, n]; None after every piece of work."""
    keys, rank = int(query_Q[-1]) + 1, reader.config.kv_lora_rank
    q_QX = reader.absorbed(reader.queries(query_Q))
    scores = torch.empty((1 + len(formats), keys, len(query_Q)))
    for a in range(0, keys, KEY_BLOCK):
        b = min(a + KEY_BLOCK, keys)
        out = scratch("latents", (KEY_BLOCK, reader.latent_width), dtype=torch.float32, device=reader.device)
        latents_KX = reader.latents(a, b, out=out)
        c_kv_KC, k_rope_KR = latents_KX[:, :rank], latents_KX[:, rank:]
        for index, format in enumerate((None, *formats)):
            kept = latents_KX
            if format is not None:
                kept_rope = rounded(k_rope_KR, format) if rope else k_rope_KR
                kept = torch.cat((rounded(c_kv_KC, format), kept_rope), dim=1)
            scores[index, a:b] = torch.mm(kept, q_QX.T).cpu()
        yield None
    late_KQ = torch.arange(keys)[:, None] > torch.from_numpy(query_Q)
    shares = [one.masked_fill_(late_KQ, -torch.inf).softmax(dim=0) for one in scores]
    yield np.stack([((shares[0] - other).abs().sum(dim=0, dtype=torch.float64) / 2).numpy() for other in shares[1:]])
