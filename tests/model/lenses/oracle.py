"""transformers' tiny models as oracles: their weights in our decoder, a recorded run, and their attention maps."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from model.config import ModelConfig, RopeConfig, RouterConfig, YarnConfig
from model.network.decoder import Decoder
from model.network.weights import bind
from model.recording.projections import Projections
from model.recording.recorder import Recorder
from model.recording.recording import Recording
from tests.model.recording.runs import feed, run_info
from tests.parity.tiny import BASE, FAMILY, Family, make_checkpoint


class Oracle(NamedTuple):
    """A recorded run and what transformers says about the same tokens: maps [L, H, T, T]."""

    recording: Recording
    projections: Projections
    maps_LHQK: NDArray[np.float32]


def recorded_beside_transformers(folder: Path, family: Family, *, sizes: tuple[int, ...], **overrides: Any) -> Oracle:
    model = make_checkpoint(folder / "checkpoint", family, **overrides)
    config = _config(family, BASE | FAMILY[family] | overrides)
    decoder = Decoder(config, bind(config, _unfused(model.state_dict())))
    recorder = Recorder.create(folder / "run", run_info(config))
    told = feed(recorder, decoder, sizes)
    recorder.finish("length", "")
    ids = torch.from_numpy(recorder.recording.light("ids").astype(np.int64))
    with torch.inference_mode():
        maps = model(ids[None], output_attentions=True).attentions
    assert len(told.steps) == len(sizes)
    return Oracle(recorder.recording, Projections.of(decoder), torch.cat(maps).numpy())


def _config(family: Family, settings: dict[str, Any]) -> ModelConfig:
    router = RouterConfig(
        "noaux_tc" if family == "v3" else settings["topk_method"],
        "sigmoid" if family == "v3" else "softmax",
        settings["n_routed_experts"],
        settings["num_experts_per_tok"],
        settings["n_group"],
        settings["topk_group"],
        settings.get("norm_topk_prob", False) and family == "v3",
        settings["routed_scaling_factor"],
    )
    rope: dict[str, Any] = dict(settings.get("rope_parameters", {"rope_type": "default", "rope_theta": 10_000.0}))
    theta, yarn = rope.pop("rope_theta"), rope.pop("rope_type") == "yarn"
    layers = settings["num_hidden_layers"]
    same: tuple[str, ...] = (
        "vocab_size",
        "hidden_size",
        "q_lora_rank",
        "kv_lora_rank",
        "qk_nope_head_dim",
        "qk_rope_head_dim",
    )
    same += ("v_head_dim", "intermediate_size", "moe_intermediate_size", "max_position_embeddings")
    return ModelConfig(
        family=family,
        model_type=f"deepseek_{family}",
        layers=layers,
        heads=settings["num_attention_heads"],
        shared_experts=settings["n_shared_experts"],
        moe_layers=tuple(range(settings["first_k_dense_replace"], layers)),
        router=router,
        rope=RopeConfig(theta, settings.get("rope_interleave", True), YarnConfig(**rope) if yarn else None),
        **{name: settings[name] for name in same},
    )


def _unfused(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """One tensor per expert, as checkpoints have them; transformers holds all of a layer's in one."""
    result = {}
    for name, tensor in state.items():
        stem, _, last = name.rpartition(".")
        if last == "gate_up_proj" and stem.endswith("experts"):
            for expert, pair in enumerate(tensor):
                gate, up = pair.chunk(2)
                result[f"{stem}.{expert}.gate_proj.weight"], result[f"{stem}.{expert}.up_proj.weight"] = gate, up
        elif last == "down_proj" and stem.endswith("experts"):
            result |= {f"{stem}.{expert}.down_proj.weight": one for expert, one in enumerate(tensor)}
        else:
            result[name] = tensor
    return result
