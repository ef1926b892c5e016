"""How all heads of a layer connect one query with one key, from one pass over the layer's cache."""

from collections.abc import Generator

import numpy as np
import torch
from numpy.typing import NDArray

from model.lenses.reader import HeadReader
from model.recording.projections import Projections
from model.recording.recording import Recording

BLOCK = 4096


@torch.no_grad()
def connections(
    recording: Recording, projections: Projections, *, layer: int, query: int, key: int
) -> Generator[None, None, tuple[NDArray[np.float32], NDArray[np.int32]]]:
    """Probability, content and position scores [3, H] of the pair, and the key's rank [H], 1 for the most attended."""
    config = recording.info.config
    readers = [HeadReader(recording, projections, layer=layer, head=head) for head in range(config.heads)]
    at, rank = np.array([query]), config.kv_lora_rank
    queries = [reader.queries(at) for reader in readers]
    shared = readers[0].has_latents  # all heads read the same latents
    cut = rank if shared else readers[0].content_width
    groups = [(readers[0], slice(None))] if shared else [(one, slice(h, h + 1)) for h, one in enumerate(readers)]
    q_HX = torch.cat([one.absorbed(q) if shared else q for one, q in zip(readers, queries, strict=True)])
    content_HK, position_HK = torch.empty((2, config.heads, query + 1))
    keys_KX = torch.empty((min(BLOCK, query + 1), readers[0].latent_width), device=readers[0].device)
    for a in range(0, query + 1, BLOCK):
        b = min(a + BLOCK, query + 1)
        for reader, heads in groups:
            here_KX = reader.latents(a, b, out=keys_KX)
            content_HK[heads, a:b] = torch.mm(q_HX[heads, :cut], here_KX[:, :cut].T).cpu()
            position_HK[heads, a:b] = torch.mm(q_HX[heads, cut:], here_KX[:, cut:].T).cpu()
        yield
    probability_HK = (content_HK + position_HK).softmax(dim=1)
    pair = torch.stack([one[:, key] for one in (probability_HK, content_HK, position_HK)])
    ranks_H = 1 + (probability_HK > probability_HK[:, key : key + 1]).sum(dim=1)
    return pair.float().numpy(), ranks_H.numpy().astype(np.int32)
