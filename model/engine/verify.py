"""The proof for a model: attention rebuilt from latents, and absorbed decoding, against the plain pass.

The reference attention shares nothing with the lens or the absorbed form but the weights: keys are
expanded per head, content and position scored in one product, the softmax taken over all heads at once.
"""

import shutil
from collections.abc import Callable, Generator
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from model.config import DtypeName, ModelConfig, Sampling
from model.engine import threads
from model.engine.agenda import Work
from model.engine.opened import OpenModel, aside
from model.engine.runs import Engine
from model.lenses import attention as lens
from model.messages import RunInfo, Verified, Verify
from model.network.attention import project
from model.network.decoder import Decoder, Step, new_probe
from model.network.decoding import DecodeStep
from model.network.projected import Projected
from model.network.weights import AttentionWeights, GroupedWeights
from model.recording.columns import StepRow
from model.recording.projections import Projections
from model.recording.recorder import Recorder
from model.recording.recording import Recording

TOKENS = 96
DECODED = 32  # of them, fed one at a time in the absorbed form
SEED = 20

# Largest attention difference that is still rounding, and largest logit difference as a share of the
# largest logit. Products are accumulated in a different order, with 24, 8 or 11 bits of precision.
LIMITS: dict[DtypeName, tuple[float, float]] = {
    "float32": (5e-6, 1e-4),
    "bfloat16": (5e-2, 1e-1),
    "float16": (5e-3, 2e-2),
}


class Reference(NamedTuple):
    """What the plain pass says: attention float32 [L, H, T, T], chosen experts [M, T, A] in order, logits [T, V]."""

    attention_LHTT: Tensor
    experts_MTA: Tensor
    logits_TV: Tensor


def verify(command: Verify, engine: Engine) -> Work:
    """Prove the open model on some random tokens, layer by layer. Raises Problem when no model is open."""
    model = engine.open_model()
    threads.use(threads.ALL)
    config = model.checkpoint.config
    count = min(TOKENS, config.max_position_embeddings, config.dense_attention_tokens or TOKENS)
    generator = torch.Generator().manual_seed(SEED)
    ids_T = torch.randint(config.vocab_size, (count,), generator=generator).to(model.decoder.device)
    reference = yield from _reference(model.decoder, ids_T)
    recording = _record(engine, model, ids_T)
    yield None
    attention_max_abs = yield from _largest_difference(recording, model, reference)
    routing_equal, absorbed_max_abs = _same_experts(recording, reference), 0.0
    expected_TV = reference.logits_TV[_prompt(count) :]
    for step in (yield from _steps(model)):
        absorbed, experts_MTA = yield from _absorbed(model.decoder, step, ids_T)
        absorbed_max_abs = float(np.maximum(absorbed_max_abs, float((absorbed - expected_TV).abs().max())))
        # The kernels do not round between operations, so in a narrow dtype near ties may fall the other way.
        exact = isinstance(step, DecodeStep) and model.dtype != "float32"
        routing_equal = routing_equal and (exact or torch.equal(experts_MTA, reference.experts_MTA))
    attention_limit, logits_share = LIMITS[model.dtype]
    yield Verified(
        request=command.request,
        attention_max_abs=attention_max_abs,
        absorbed_max_abs=absorbed_max_abs,
        routing_equal=routing_equal,
        tokens=count,
        passed=routing_equal
        and attention_max_abs <= attention_limit
        and absorbed_max_abs <= logits_share * float(expected_TV.abs().max()),
    )


def _reference(decoder: Decoder, ids_T: Tensor) -> Generator[None, None, Reference]:
    """The plain form without a cache, every attention weight written out."""
    tokens = len(ids_T)
    rotation_TR = decoder.rotations.rows(0, tokens, length=_prompt(tokens))
    step = Step(rotation_TR=rotation_TR, mask_TK=None, temperature_T=decoder.temperature(0, tokens))
    maps, experts = [], []
    late_TD: Tensor | None = None
    with torch.inference_mode():
        x_TD = decoder.embed(ids_T)
    for layer in range(decoder.config.layers):
        with torch.inference_mode():
            maps.append(_written_out(decoder, layer, x_TD, step))
            x_TD, late_TD, trace = decoder.layer(layer, x_TD, step, late_TD)
            if trace.routing is not None:
                experts.append(trace.routing.ids_TA.sort(dim=-1).values)
        yield
    with torch.inference_mode():
        return Reference(torch.stack(maps), _stacked(experts, ids_T), decoder.logits(x_TD))


def _written_out(decoder: Decoder, layer: int, x_TD: Tensor, step: Step) -> Tensor:
    """softmax(scale · q kᵀ) of all heads of one layer, float32 [H, T, T]."""
    config, weights = decoder.config, decoder.weights.layers[layer]
    normed_TD = F.rms_norm(x_TD, (config.hidden_size,), weights.attention_norm, config.rms_norm_eps)
    new = project(normed_TD, weights.attention, config, step.rotation_TR, step.temperature_T)
    q_THX = torch.cat((new.content_THN, new.rope_THR), dim=-1).float()
    scores_HTT = torch.einsum("qhx,khx->hqk", q_THX, _keys(new, weights.attention, config)) * decoder.scale
    hidden_TT = torch.ones_like(scores_HTT[0], dtype=torch.bool).triu(1)
    return scores_HTT.masked_fill(hidden_TT, float("-inf")).softmax(dim=-1)


def _keys(new: Projected, weights: AttentionWeights | GroupedWeights, config: ModelConfig) -> Tensor:
    """Every head's keys, float32 [T, H, N+R]."""
    first_TX, second_TY = (rows.float() for rows in new.kept)
    if isinstance(weights, GroupedWeights):
        k_TGX: Tensor = first_TX.unflatten(-1, (-1, config.qk_head_dim))
        return k_TGX.repeat_interleave(config.heads // k_TGX.shape[1], dim=1)
    k_THN = torch.einsum("tc,hnc->thn", first_TX, weights.w_uk_HNC.float())
    return torch.cat((k_THN, second_TY.unsqueeze(1).expand(-1, config.heads, -1)), dim=-1)


def _record(engine: Engine, model: OpenModel, ids_T: Tensor) -> Recording:
    """Record one prefill of all tokens, the way every run is recorded."""
    folder = engine.scratch.folder("proof")
    shutil.rmtree(folder, ignore_errors=True)
    info = RunInfo(
        run="proof",
        folder=str(folder),
        title="proof",
        model_name=model.checkpoint.name,
        checkpoint_path=str(model.checkpoint.path),
        config=model.checkpoint.config,
        dtype=model.dtype,
        device=model.device,
        sampling=Sampling(),
        prompt_tokens=_prompt(len(ids_T)),
        max_new_tokens=0,
        attention_available=True,
    )
    recorder = Recorder.create(folder, info)
    cache, probe = model.decoder.new_cache(), new_probe(model.decoder, len(ids_T))
    with torch.inference_mode():
        model.decoder.step(ids_T, cache, probe=probe, length=info.prompt_tokens)
    ids = ids_T.tolist()
    step = StepRow(decode=False, measured_bytes=cache.measured_bytes(), used_bytes=cache.used_bytes(), seconds=0.0)
    recorder.append(probe, cache, ids=ids, texts=[""] * len(ids), log_probability=np.full(len(ids), np.nan), step=step)
    return recorder.recording


def _largest_difference(recording: Recording, model: OpenModel, reference: Reference) -> Generator[None, None, float]:
    """Between rebuilt and written-out probabilities, over all layers, heads, queries and keys."""
    projections = Projections.of(model.decoder)
    everything, heads = (0, recording.tokens), range(model.checkpoint.config.heads)
    largest = 0.0
    for layer, expected_HTT in enumerate(reference.attention_LHTT):
        rebuilt = lens.probabilities(
            recording, projections, layer=layer, heads=heads, queries=everything, keys=everything
        )
        # max of NaN is NaN here, and NaN is never within a limit.
        largest = float(np.maximum(largest, np.abs(rebuilt - expected_HTT.cpu().numpy()).max()))
        yield
    return largest


def _steps(model: OpenModel) -> Generator[None, None, list[Callable[..., Tensor]]]:
    """Every way in which this model's tokens may be decoded: torch's step, and the kernels' or the graph's."""
    count = threads.decode_threads(model.checkpoint.config, model.dtype)
    threads.use(count)
    step = DecodeStep(model.decoder, threads=count)
    yield from aside(step.wait)
    by_torch = partial(model.decoder.step, absorbed=True)
    return [by_torch, step] if step.by_kernels or step.by_graph else [by_torch]


def _absorbed(
    decoder: Decoder, step: Callable[..., Tensor], ids_T: Tensor
) -> Generator[None, None, tuple[Tensor, Tensor]]:
    """Prefill, then decode in the absorbed form: logits [n, V] of the decoded tokens, experts [M, T, A] of all."""
    prompt = _prompt(len(ids_T))
    cache, probe = decoder.new_cache(), new_probe(decoder, prompt)
    with torch.inference_mode():
        decoder.step(ids_T[:prompt], cache, probe=probe)
    experts = [probe.expert_ids.clone()]
    one = new_probe(decoder, 1)
    logits = []
    for position in range(prompt, len(ids_T)):
        with torch.inference_mode():
            logits.append(step(ids_T[position : position + 1], cache, probe=one))
        experts.append(one.expert_ids.clone())
        yield
    return torch.cat(logits), torch.cat(experts, dim=1).sort(dim=-1).values


def _prompt(tokens: int) -> int:
    """How many of the tokens count as the prompt; the others are known one by one."""
    return max(1, tokens - DECODED)


def _same_experts(recording: Recording, reference: Reference) -> bool:
    recorded_TMA = np.sort(recording.light("expert_ids"), axis=-1)
    return np.array_equal(recorded_TMA.swapaxes(0, 1), reference.experts_MTA.cpu().numpy())


def _stacked(experts: list[Tensor], ids_T: Tensor) -> Tensor:
    return torch.stack(experts) if experts else ids_T.new_empty((0, len(ids_T), 0))
