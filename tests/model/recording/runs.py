"""Small runs to record: a random decoder, the prompt and tokens it is fed, and every value it told."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from model.config import DtypeName, ModelConfig, RopeConfig, RouterConfig, Sampling
from model.messages import RunInfo
from model.network.cache import KvCache
from model.network.decoder import Decoder, new_probe
from model.network.weights import bind
from model.recording.columns import StepRow
from model.recording.recorder import Recorder
from model.recording.recording import Recording
from model.shapes import tensor_shapes

ROUTER = RouterConfig("noaux_tc", "sigmoid", 8, 3, 4, 2, True, 2.5)
TORCH = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def tiny_config(**overrides: Any) -> ModelConfig:
    return ModelConfig(
        **{
            "family": "DeepSeek-V3",
            "model_type": "deepseek_v3",
            "vocab_size": 57,
            "hidden_size": 20,
            "layers": 3,
            "heads": 2,
            "q_lora_rank": 12,
            "kv_lora_rank": 10,
            "qk_nope_head_dim": 6,
            "qk_rope_head_dim": 4,
            "v_head_dim": 5,
            "intermediate_size": 24,
            "moe_intermediate_size": 8,
            "shared_experts": 1,
            "moe_layers": (1, 2),
            "router": ROUTER,
            "rope": RopeConfig(10_000.0),
            "max_position_embeddings": 4096,
            **overrides,
        }
    )


def random_decoder(config: ModelConfig, *, dtype: DtypeName = "float32") -> Decoder:
    generator = torch.Generator().manual_seed(0)
    weights = {
        name: (torch.randn(shape, generator=generator) / shape[-1] ** 0.5).to(TORCH[dtype])
        for name, shape in tensor_shapes(config).items()
    }
    return Decoder(config, bind(config, weights))


def run_info(config: ModelConfig, *, dtype: str = "float32", **overrides: Any) -> RunInfo:
    return RunInfo(
        **{
            "run": "run-1",
            "folder": "",
            "title": "A title with “quotes”",
            "model_name": "tiny",
            "checkpoint_path": "/somewhere",
            "config": config,
            "dtype": dtype,
            "device": "cpu",
            "sampling": Sampling(),
            "prompt_tokens": 3,
            "max_new_tokens": 9,
            "attention_available": True,
            **overrides,
        }
    )


class Clock:
    """Time that passes only when a test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Told:
    """What the recorder was handed, put together independently, to compare with what it gives back."""

    def __init__(self, cache: KvCache) -> None:
        self.cache = cache
        self.query_source: list[torch.Tensor] = []
        self.router_scores: list[torch.Tensor] = []
        self.expert_ids: list[torch.Tensor] = []
        self.logits: list[torch.Tensor] = []
        self.texts: list[str] = []
        self.steps: list[StepRow] = []

    def joined(self, name: str) -> torch.Tensor:
        """[rows, tokens, …] over all steps."""
        return torch.cat(getattr(self, name), dim=1)


def step_row(number: int, cache: KvCache, *, decode: bool) -> StepRow:
    return StepRow(
        decode=decode,
        measured_bytes=cache.measured_bytes(),
        used_bytes=cache.used_bytes(),
        seconds=number / 8,
        chosen_id=number,
        chosen_text=f"‹{number}›",
        chosen_log_probability=-number / 4,
        top_ids=[number, 2, 3],
        top_texts=[f"top {number}", "", "三"],
        top_log_probability=[-0.5, -1.0, -2.0],
    )


@torch.inference_mode()
def feed(recorder: Recorder, decoder: Decoder, sizes: Sequence[int], *, told: Told | None = None) -> Told:
    """Run and record steps of these many tokens behind what `told` has already been fed."""
    told = told or Told(decoder.new_cache())
    probe = new_probe(decoder, max(sizes))
    keep = "logits" in recorder.recording.columns
    for size in sizes:
        ids = (torch.arange(size) * 7 + told.cache.length) % decoder.config.vocab_size
        logits = decoder.step(ids, told.cache, probe=probe, absorbed=size == 1, logits="all")
        texts = [f"é{number}" for number in ids.tolist()]
        step = step_row(len(told.steps), told.cache, decode=size == 1)
        recorder.append(
            probe,
            told.cache,
            ids=ids.tolist(),
            texts=texts,
            log_probability=log_probability(ids),
            step=step,
            logits=logits if keep else None,
        )
        told.query_source.append(probe.query_source[:, :size].clone())
        told.router_scores.append(probe.router_scores[:, :size].clone())
        told.expert_ids.append(probe.expert_ids[:, :size].clone())
        told.logits.append(logits[None])
        told.texts += texts
        told.steps.append(step)
    return told


def log_probability(ids: torch.Tensor) -> NDArray[np.float32]:
    values: NDArray[np.float32] = (-ids.float() / 10).numpy()
    return values


def record(folder: Path, sizes: Sequence[int], **overrides: Any) -> tuple[Recording, Told]:
    """A finished run of a random float32 decoder in `folder`."""
    config = tiny_config(**overrides)
    recorder = Recorder.create(folder, run_info(config))
    told = feed(recorder, random_decoder(config), sizes)
    recorder.finish("length", "text")
    return recorder.recording, told


def every_column(recording: Recording) -> dict[str, bytes]:
    """All values of all columns, for a comparison bit by bit."""
    result: dict[str, bytes] = {}
    for name, column in recording.columns.items():
        if column.kind == "heavy":
            rows = [recording.heavy(name, layer_row=row).tobytes() for row in range(column.shape[0])]
            result[name] = b"".join(rows)
        else:
            result[name] = recording.light(name).tobytes()
    return result | {"texts": repr(recording.texts()).encode(), "steps": repr(recording.step_batch()).encode()}
