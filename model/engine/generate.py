"""The Generate command: start a run, let it go on piece by piece, end it properly whatever happens."""

import time
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from model.config import ModelConfig
from model.engine.agenda import Stopped, Work
from model.engine.generation import Generation, beyond_dense
from model.engine.inbox import Inbox
from model.engine.opened import OpenModel
from model.engine.prompts import prompt_ids, title
from model.engine.reporter import Reporter
from model.engine.runs import Engine, Run
from model.messages import Finished, Generate, RunInfo, Started
from model.problems import Problem
from model.recording.projections import Projections
from model.recording.recorder import Recorder
from model.recording.recording import Recording

APP_VERSION = "0.1.0"


def generate(command: Generate, engine: Engine, inbox: Inbox) -> Work:
    """Started, Grown…, Finished. Raises Problem before Started for what cannot be run."""
    model = engine.open_model()
    _check(command)
    ids = prompt_ids(command, model)
    _check_length(len(ids), model.checkpoint.config)
    run, recorder = begin(command, engine, model, len(ids))
    reporter = Reporter(command.request, run.info.run, run.recording, inbox)
    generation = Generation(command, model, recorder, reporter)
    generation.reason = "failed"  # until one of the ways out below says otherwise
    try:
        yield Started(request=command.request, info=run.info)
        yield from generation.prefill(ids)
        generation.reason = "length"
        yield from generation.decode()
    except Stopped:
        generation.reason = "stopped"
    except GeneratorExit:
        generation.reason = "stopped"
        raise
    except Problem as problem:
        generation.reason, generation.note = "failed", str(problem)
    except BaseException:
        generation.reason = "failed"
        raise
    finally:
        finished = _finish(command, run, recorder, generation)
    yield from _rest(reporter)
    yield finished


def _rest(reporter: Reporter) -> Work:
    """Tell all that is left of a run that has ended; a stop that comes now finds nothing to stop."""
    while True:
        try:
            yield from reporter.rest()
            return
        except Stopped:
            continue


def _check(command: Generate) -> None:
    problem = command.sampling.problem()
    if problem is not None:
        raise Problem(f"This cannot be sampled: {problem}.")
    if command.max_new_tokens < 0:
        raise Problem(f"{command.max_new_tokens} new tokens cannot be generated; ask for 0 or more.")


def _check_length(tokens: int, config: ModelConfig) -> None:
    dense = config.dense_attention_tokens
    if dense is not None and tokens > dense:
        raise Problem(f"This prompt has {tokens:,} tokens, but {beyond_dense(dense)}; shorten it.")


def begin(command: Generate, engine: Engine, model: OpenModel, prompt_tokens: int) -> tuple[Run, Recorder]:
    """Start the recording of a run and add it to those that can be asked about. Raises Problem."""
    name = engine.new_name()
    folder = Path(command.folder) if command.folder else engine.scratch.folder(name)
    info = RunInfo(
        run=name,
        folder=str(folder.absolute()),
        title=title(command),
        model_name=model.checkpoint.name,
        checkpoint_path=str(model.checkpoint.path.absolute()),
        config=model.checkpoint.config,
        dtype=model.dtype,
        device=model.device,
        sampling=command.sampling,
        prompt_tokens=prompt_tokens,
        max_new_tokens=command.max_new_tokens,
        attention_available=True,
        started_at=time.time(),
    )
    projections = Projections.of(model.decoder)
    recorder = Recorder.create(
        folder,
        info,
        keep_logits=command.keep_logits,
        projections=projections,
        router_bias=_router_bias(model),
        self_contained=command.self_contained,
        fingerprint=model.checkpoint.fingerprint,
        app_version=APP_VERSION,
    )
    run = Run(info, recorder.recording, projections)
    engine.runs[name] = run
    return run, recorder


def _router_bias(model: OpenModel) -> NDArray[np.float32] | None:
    """[M, E], or None for routers without one."""
    blocks = [layer.moe for layer in model.decoder.weights.layers if layer.moe is not None]
    biases = [block.bias_E for block in blocks if block.bias_E is not None]
    return torch.stack(biases).cpu().numpy() if biases else None


def _finish(command: Generate, run: Run, recorder: Recorder, generation: Generation) -> Finished:
    text = _text(generation)
    if generation.step_note:
        run.recording.notes.append(generation.step_note)
    recorder.finish(
        generation.reason,
        text,
        prefill_seconds=generation.prefill_seconds,
        decode_tokens_per_second=generation.tokens_per_second,
        note=generation.note,
    )
    return Finished(
        request=command.request,
        run=run.info.run,
        reason=generation.reason,
        text=text,
        prefill_seconds=generation.prefill_seconds,
        decode_tokens_per_second=generation.tokens_per_second,
        note=" ".join(part for part in (generation.note, _ties(run.recording), *run.recording.notes) if part),
    )


def _ties(recording: Recording) -> str:
    """A sentence when experts scored exactly alike, so that only their numbers decided; "" when they never did."""
    margins_TM = recording.light("margins")
    ties = int((margins_TM == 0).sum())
    if not ties:
        return ""
    return f"Router ties: in {ties:,} of {margins_TM.size:,} choices equal experts were told apart by number alone."


def _text(generation: Generation) -> str:
    try:
        return generation.text()
    except Problem:
        return ""  # a tokenizer that fails on its own tokens must not cost the recording its end
