"""The up-projections that turn recorded query sources and latents back into queries and keys."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.config import ModelConfig
from model.network.decoder import Decoder
from model.network.weights import AttentionWeights, GroupedWeights
from model.problems import Problem
from model.recording.bits import as_array
from model.tensorfile import TensorFile, write_tensors

PROJECTIONS = "projections.safetensors"
SMALL_BYTES = 64 * 2**20

_DTYPES: dict[str, torch.dtype] = {"F32": torch.float32, "BF16": torch.bfloat16, "F16": torch.float16}
_NAMES = {dtype: name for name, dtype in _DTYPES.items()}


class LayerProjections(NamedTuple):
    """`q_weight` [H·(N+R), S] from query source to queries, `kv_b` [H·(N+V), C] from latents to keys and values.

    Without latents the cache holds the keys themselves, and `kv_b` is None.
    """

    q_weight: Tensor
    kv_b: Tensor | None = None


class Projections:
    """One LayerProjections per attention layer; refers to whatever memory the tensors are in."""

    def __init__(self, layers: tuple[LayerProjections, ...]) -> None:
        self._layers = layers

    @classmethod
    def of(cls, decoder: Decoder) -> "Projections":
        """Those of a loaded model, not copied."""
        return cls(tuple(_of(layer.attention) for layer in decoder.weights.layers))

    @classmethod
    def open(cls, folder: str | Path, config: ModelConfig) -> "Projections":
        """Those saved in a run folder. Raises Problem when they are missing or do not fit the config."""
        path = Path(folder) / PROJECTIONS
        file = _open(path)
        kv_b = ("kv_b", (config.heads * (config.qk_nope_head_dim + config.v_head_dim), config.kv_lora_rank))
        shapes = (
            ("q", (config.heads * config.qk_head_dim, config.query_source_width)),
            *((kv_b,) if config.kv_heads is None else ()),
        )
        return cls(
            tuple(
                LayerProjections(*(_read(file, f"layers.{layer}.{name}", shape) for name, shape in shapes))
                for layer in range(config.layers)
            )
        )

    @property
    def bytes(self) -> int:
        """What all of them take."""
        tensors = (tensor for layer in self._layers for tensor in layer if tensor is not None)
        return sum(tensor.numel() * tensor.element_size() for tensor in tensors)

    def layer(self, index: int) -> LayerProjections:
        """Those of one attention layer."""
        return self._layers[index]

    def save(self, folder: str | Path, *, router_bias: NDArray[np.float32] | None = None) -> None:
        """Write them, and the router biases [M, E] if any, into a run folder. Raises Problem."""
        tensors: dict[str, tuple[str, NDArray[np.generic]]] = {}
        for index, layer in enumerate(self._layers):
            for name, tensor in zip(("q", "kv_b"), layer, strict=True):
                if tensor is not None:
                    tensors[f"layers.{index}.{name}"] = _pack(tensor)
        if router_bias is not None:
            tensors["router_bias"] = ("F32", router_bias.astype(np.float32))
        write_tensors(Path(folder) / PROJECTIONS, tensors)


def save_projections(
    folder: Path, projections: Projections | None, router_bias: NDArray[np.float32] | None, *, self_contained: bool
) -> None:
    """What a run folder keeps of them: all when they are small or asked for, else the router biases alone."""
    if projections is not None and (self_contained or projections.bytes <= SMALL_BYTES):
        projections.save(folder, router_bias=router_bias)
    elif router_bias is not None:
        Projections(()).save(folder, router_bias=router_bias)


def open_router_bias(folder: str | Path, config: ModelConfig) -> NDArray[np.float32] | None:
    """The router biases [M, E] of a run folder; None when the model has none. Raises Problem for a bad file."""
    path = Path(folder) / PROJECTIONS
    if config.router is None or not config.router.biased or not path.exists():
        return None
    bias: NDArray[np.float32] = _read(
        _open(path), "router_bias", (len(config.moe_layers), config.router.experts)
    ).numpy()
    return bias


def _of(weights: AttentionWeights | GroupedWeights) -> LayerProjections:
    if isinstance(weights, GroupedWeights):
        return LayerProjections(weights.q.weight)
    return LayerProjections(weights.q.weight, weights.kv_b_HXC.flatten(0, 1))


def _open(path: Path) -> TensorFile:
    if path.is_symlink():
        raise Problem(f"{path} is a link, and a recording may not point elsewhere; copy the file itself.")
    if not path.exists():
        raise Problem(f"{path} does not exist: the run did not keep its projections; open its checkpoint too.")
    return TensorFile(path)


def _read(file: TensorFile, name: str, shape: tuple[int, ...]) -> Tensor:
    entry = file.header.entries.get(name)
    if entry is None or entry.shape != shape or entry.dtype not in _DTYPES:
        found = "missing" if entry is None else f"{entry.dtype} {entry.shape}"
        raise Problem(f"{file.path} does not fit its run: {name} is {found}, where {shape} was due.")
    return torch.from_numpy(file.raw(name)).view(_DTYPES[entry.dtype]).view(shape)


def _pack(tensor: Tensor) -> tuple[str, NDArray[np.generic]]:
    return _NAMES[tensor.dtype], as_array(tensor.detach().cpu().contiguous())
