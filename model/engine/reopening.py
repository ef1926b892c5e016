"""The OpenRecording command: a run folder shows like a live run."""

from pathlib import Path

import torch

from model.checkpoint.checkpoint import Checkpoint
from model.checkpoint.folder import read_checkpoint
from model.checkpoint.plan import TORCH_DTYPES
from model.engine.agenda import Work
from model.engine.inbox import Inbox
from model.engine.reporter import Reporter
from model.engine.runs import Engine, Run
from model.messages import Finished, OpenRecording, RunInfo, Started
from model.problems import Problem
from model.recording.projections import PROJECTIONS, LayerProjections, Projections
from model.recording.recording import Recording
from model.tensorfile import TensorFile


def reopen(command: OpenRecording, engine: Engine, inbox: Inbox) -> Work:
    """Started, Grown…, Finished. Raises Problem when nothing in the folder can be used."""
    folder = Path(command.folder).expanduser().absolute()
    recording = Recording.open(folder)
    yield None
    projections, reason = _projections(folder, recording, engine)
    name = engine.new_name()
    info = _info(recording.info, name=name, folder=str(folder), reason=reason)
    engine.runs[name] = Run(info, recording, projections)
    yield Started(request=command.request, info=info)
    yield from Reporter(command.request, name, recording, inbox).rest()
    finish = recording.finish
    notes = [finish.note if finish else "The run was cut off before its end.", *recording.notes]
    yield Finished(
        request=command.request,
        run=name,
        reason="opened",
        text=finish.text if finish else "",
        prefill_seconds=finish.prefill_seconds if finish else 0.0,
        decode_tokens_per_second=finish.decode_tokens_per_second if finish else 0.0,
        note=" ".join(note for note in notes if note),
    )


def _info(info: RunInfo, *, name: str, folder: str, reason: str) -> RunInfo:
    """The run's own words, with what is different here and now."""
    return RunInfo(
        run=name,
        folder=folder,
        title=info.title,
        model_name=info.model_name,
        checkpoint_path=info.checkpoint_path,
        config=info.config,
        dtype=info.dtype,
        device=info.device,
        sampling=info.sampling,
        prompt_tokens=info.prompt_tokens,
        max_new_tokens=info.max_new_tokens,
        attention_available=not reason,
        attention_reason=reason,
        started_at=info.started_at,
    )


def _projections(folder: Path, recording: Recording, engine: Engine) -> tuple[Projections | None, str]:
    """From the folder itself, else from the same checkpoint; or None and why not."""
    config = recording.info.config
    saved = folder / PROJECTIONS
    try:
        if saved.exists() and "layers.0.q" in TensorFile(saved).header.entries:
            return Projections.open(folder, config), ""
        model = engine.model
        if model is not None and model.checkpoint.fingerprint == recording.fingerprint:
            return Projections.of(model.decoder), ""
        return _from_checkpoint(recording), ""
    except Problem as problem:
        return None, f"Attention cannot be rebuilt: {problem}"


def _from_checkpoint(recording: Recording) -> Projections:
    """Mapped from the checkpoint that the run names. Raises Problem when it is not the same any more."""
    path = recording.info.checkpoint_path
    checkpoint = read_checkpoint(path)
    if checkpoint.fingerprint != recording.fingerprint:
        raise Problem(f"the checkpoint at {path} is not the one that was recorded; put the same files there.")
    query = "q_proj" if checkpoint.config.q_lora_rank is None else "q_b_proj"
    layers = []
    for layer in range(checkpoint.config.layers):
        prefix = f"model.layers.{layer}.self_attn."
        names = (f"{prefix}{query}.weight", f"{prefix}kv_b_proj.weight")
        layers.append(LayerProjections(*(_mapped(checkpoint, name) for name in names)))
    return Projections(tuple(layers))


def _mapped(checkpoint: Checkpoint, name: str) -> torch.Tensor:
    stored = checkpoint.tensors[name]
    return stored.values(stored.mapped_dtype or TORCH_DTYPES[checkpoint.dtype])
