"""From State to the frame around the views: model chip, prompt panel, status line, notices, sheet."""

import json
from pathlib import Path
from typing import Literal, cast

from PySide6.QtCore import QCoreApplication

from app.parts import Parts
from app.running_text import running_text
from app.runs import Run
from app.state import LoadProgress, ProfileProgress, State
from model.config import DtypeName
from model.messages import CheckpointSummary, Describe
from widgets.checkpoint_facts import CheckpointFacts, DeviceChoice
from widgets.figures import bytes_text, duration_text, part_text
from widgets.notice_bar import NoticeTone

translate = QCoreApplication.translate

FAMILY_NAMES = {"deepseek_v2": "DeepSeek-V2", "deepseek_v3": "DeepSeek-V3"}
NOTICE_TONES: dict[str, NoticeTone] = {"restart": "error", "notes": "info", "profile": "info"}
RATE_FROM = 0.5  # seconds; a rate of less time is a guess
RECORDING_LIMIT = 10**9  # bytes a run may hold in memory


def show_model(parts: Parts, state: State) -> None:
    """The model chip, the proof badge, the steppers and what the prompt panel offers."""
    model, loading = state.model, state.loading
    if loading is not None and model is None:  # else the open model is still the one that prompts run on
        parts.top.show_loading(Path(loading.path).name, loading.done / loading.total if loading.total else 0.0)
    elif model is None:
        parts.top.show_no_model(
            translate("chrome", "engine starting…")
            if state.engine == "starting"
            else translate("chrome", "no model open")
        )
    else:
        summary = model.summary
        parts.top.show_model(
            summary.name,
            FAMILY_NAMES.get(summary.config.family, summary.config.family),
            summary.parameters_total,
            summary.parameters_active,
            model.device.upper(),
            model.dtype,
            tuple(summary.notes),
        )
        parts.prompt.show_tokenizer(summary.has_tokenizer)
        parts.prompt.show_chat_template(summary.has_chat_template)
    parts.top.show_proof(*_proof(state))
    config = state.run.info.config if state.run else (model.summary.config if model else None)
    if config is not None:
        parts.top.show_selection(state.selection, config.layers, config.heads)


def window_title(state: State) -> str:
    """The open model's name before the program's."""
    return f"{state.model.summary.name} — Latent Loupe" if state.model is not None else "Latent Loupe"


def show_prompt(parts: Parts, state: State) -> None:
    """Run or stop, the text so far, and the runs of this session."""
    parts.prompt.show_running(bool(state.running))
    run = state.run
    if run is not None:
        prompt, generated = run.texts[_first_text(run) : run.info.prompt_tokens], run.chosen_texts
        if run.finished is not None and run.finished.reason == "eos":
            generated = generated[:-1]  # the token that ended the text is not part of it
        if run.texts and _is_id(run.texts[0]):  # without a tokenizer; ids would run into one another
            prompt, generated = [f"{text} " for text in prompt], [f"{text} " for text in generated]
        told = running_text(generated, complete=run.finished is not None)
        parts.prompt.show_text(running_text(prompt, complete=True), told)
    parts.prompt.show_runs(
        [
            (each.info.run, each.info.title, f"{each.info.prompt_tokens:,} + {each.generated:,}", each is run)
            for each in reversed(state.runs)
        ]
    )


def show_status(parts: Parts, state: State) -> None:
    """State, speed, recording size, progress."""
    parts.status.show_state(*_status(state))
    run, loading = state.run, state.loading
    if run is not None and run.steps:
        parts.status.show_speed(*_speed(run))
        parts.status.show_recording(run.recording_bytes, RECORDING_LIMIT)
    budget = state.model.budget_bytes if state.model is not None else 0
    parts.status.show_memory(state.unreclaimable_bytes, budget=budget, resident=state.resident_bytes)
    if loading is not None:
        fraction = loading.done / loading.total if loading.total else None
        parts.status.show_progress(_loading(loading), fraction, cancellable=not loading.cancelling)
    elif state.profiling is not None:
        done = state.profiling.done / state.profiling.total if state.profiling.total else None
        parts.status.show_progress(_profiling(state.profiling), done, cancellable=not state.profiling.cancelling)
    else:
        parts.status.hide_progress()


def show_notices(parts: Parts, before: State, state: State) -> None:
    """Hand over notices that are new, and take back those that are gone; one put away never comes again."""
    for key in {notice.key for notice in before.notices} - {notice.key for notice in state.notices}:
        parts.notices.dismiss(key)
    for notice in state.notices:
        if any(notice is known for known in before.notices):
            continue
        actions = {
            "restart": translate("chrome", "Restart the engine"),
            "raw": translate("chrome", "Use raw prompt"),
            "profile": translate("chrome", "Show the profile"),
        }
        tone = NOTICE_TONES.get(notice.key, "warn")
        parts.notices.show_notice(notice.text, tone=tone, action=actions.get(notice.key), key=notice.key)


def show_sheet(parts: Parts, before: State, state: State) -> bool:
    """The description of a folder that waits to be accepted; True when there is a new one to make room for."""
    pending = state.describing is not None
    if state.described is not None and (
        # A plan that did not come leaves the last one, and its choices.
        state.described is not before.described or (before.describing is not None and not pending)
    ):
        asked = state.planned
        assert asked is not None, "a description answers something"
        parts.sheet.show_facts(
            facts(state.described.summary, asked),
            devices=_devices(state),
        )
    parts.sheet.show_pending(pending)
    parts.sheet.setVisible(state.described is not None)
    return state.described is not None and state.described is not before.described


def _devices(state: State) -> tuple[DeviceChoice, ...]:
    """Where a model could run, as the engine found it; the first is what `auto` means."""
    names = state.ready.devices if state.ready is not None else []
    return tuple(DeviceChoice(name, name.upper()) for name in names)


def facts(summary: CheckpointSummary, asked: Describe) -> CheckpointFacts:
    """What the sheet shows of a summary, and the choices it was asked for with."""
    config, router = summary.config, summary.config.router
    return CheckpointFacts(
        name=summary.name,
        path=summary.path,
        family=FAMILY_NAMES.get(config.family, config.family),
        model_type=config.model_type,
        layers=config.layers,
        heads=config.heads,
        q_lora_rank=config.q_lora_rank,
        kv_lora_rank=config.kv_lora_rank,
        kv_kind=config.attention,
        kv_heads=config.kv_heads,
        experts=router.experts if router else 0,
        experts_per_token=router.experts_per_token if router else 0,
        shared=config.shared_experts,
        groups=router.groups if router else 0,
        total=summary.parameters_total,
        active=summary.parameters_active,
        kv_bytes=dict(summary.kv_bytes_per_token),
        dtype=cast(DtypeName, summary.dtype),
        file_bytes=summary.file_bytes,
        weight_bytes=summary.weight_bytes,
        free_bytes=summary.free_bytes,
        context=config.max_position_embeddings,
        has_tokenizer=summary.has_tokenizer,
        notes=tuple(summary.notes),
        zero_experts=router.zero_experts if router else 0,
        formats=dict(summary.formats),
        resident_bytes=summary.resident_bytes,
        expert_cache_bytes=summary.expert_cache_bytes,
        largest_expert_bytes=summary.largest_expert_bytes,
        fits=summary.fits,
        has_chat_template=summary.has_chat_template,
        dense_tokens=config.dense_attention_tokens,
        asked_device=asked.device,
        asked_dtype=asked.dtype,
        budget_bytes=asked.budget_bytes,
    )


def read_samples(path: Path) -> list[tuple[str, str, str]]:
    """Sample prompts of our own resources: domain, title, prompt."""
    samples = json.loads(path.read_text(encoding="utf-8"))["samples"]
    return [(sample["domain"], sample["title"], sample["prompt"]) for sample in samples]


def _is_id(text: str) -> bool:
    return text.startswith("#") and text[1:].isdecimal()


def _first_text(run: Run) -> int:
    """A BOS token is part of the run but not of what a person wrote."""
    bos = run.info.config.bos_token_id
    return 1 if run.tokens and bos is not None and int(run.column("ids")[0]) == bos else 0


def _proof(state: State) -> tuple[Literal["unknown", "running", "passed", "failed"], str, str]:
    proof = state.model.proof if state.model else None
    if state.proving:
        return (
            "running",
            "",
            translate("chrome", "Rebuilt attention is being compared with the model's own pass."),
        )
    if proof is None:
        return (
            "unknown",
            "",
            translate("chrome", "Click to compare rebuilt attention with the model's own pass."),
        )
    tooltip = translate(
        "chrome",
        "{:,} tokens: rebuilt attention differs from the plain pass by at most {:.1e}, "
        "the absorbed path by at most {:.1e}; routing {}.",
    ).format(
        proof.tokens,
        proof.attention_max_abs,
        proof.absorbed_max_abs,
        translate("chrome", "is equal") if proof.routing_equal else translate("chrome", "differs"),
    )
    tooltip += _arithmetic(state)
    if proof.passed:
        return "passed", translate("chrome", "max |Δ| {:.1e}").format(proof.attention_max_abs), tooltip
    return "failed", translate("chrome", "max |Δ| {:.1e}").format(proof.attention_max_abs), tooltip


def _arithmetic(state: State) -> str:
    """What bf16 costs on the head in view, where the map is computed so."""
    picture = state.shown.attention
    if picture is None or picture.arithmetic != "bf16" or not picture.bf16_error:
        return ""
    words = translate("chrome", "\nLayer {}, head {}: probabilities in bf16 differ from float32 by at most {:.1e}.")
    return words.format(picture.layer, picture.heads[0], picture.bf16_error)


def _status(state: State) -> tuple[Literal["idle", "busy", "loading", "dead"], str]:
    run = state.run
    if state.engine == "dead":
        return "dead", translate("chrome", "engine stopped")
    if state.engine == "silent":
        return "dead", translate("chrome", "engine not answering")
    if state.engine == "starting":
        return "loading", translate("chrome", "engine starting")
    if state.running and run is not None and run.tokens < run.info.prompt_tokens:
        words = translate("chrome", "reading the prompt · {:,} of {:,} tokens")
        return "busy", words.format(run.tokens, run.info.prompt_tokens)
    if state.running and run is not None:
        planned = run.info.prompt_tokens + run.info.max_new_tokens
        return "busy", translate("chrome", "generating · token {:,} of {:,}").format(
            run.info.prompt_tokens + run.generated, planned
        )
    if state.loading is not None:
        return "loading", translate("chrome", "loading")
    if run is not None and run.finished is not None:
        return "idle", _ending(run)
    return "idle", translate("chrome", "ready")


def _loading(loading: LoadProgress) -> str:
    """What is read, how much of it, how fast, and how long it will take, as far as that is known."""
    name = Path(loading.path).name
    if loading.cancelling:
        return translate("chrome", "cancelling {}…").format(name)
    words = [translate("chrome", "loading {}").format(name)]
    if loading.total:
        words.append(part_text(loading.done, loading.total))
    if loading.done and loading.seconds >= RATE_FROM:
        rate = loading.done / loading.seconds
        words.append(translate("chrome", "{}/s").format(bytes_text(round(rate))))
        left = duration_text((loading.total - loading.done) / rate)
        words.append(translate("chrome", "{} left").format(left))
    return " · ".join(words)


def _profiling(progress: ProfileProgress) -> str:
    """What is being counted, and how far it is."""
    name = Path(progress.texts).name
    if progress.cancelling:
        return translate("chrome", "cancelling {}…").format(name)
    if not progress.total:
        return translate("chrome", "profiling experts · reading {}").format(name)
    told = translate("chrome", "profiling experts over {} · {:,} of {:,} tokens")
    return told.format(name, progress.done, progress.total)


def _ending(run: Run) -> str:
    assert run.finished is not None
    endings = {
        "length": translate("chrome", "done · length reached"),
        "eos": translate("chrome", "done · the model ended the text"),
        "stopped": translate("chrome", "stopped"),
        "opened": translate("chrome", "recording"),
        "failed": translate("chrome", "failed"),
    }
    tokens = translate("chrome", "{:,} + {:,} tokens").format(run.info.prompt_tokens, run.generated)
    return f"{endings[run.finished.reason]} · {tokens}"


def _speed(run: Run) -> tuple[float | None, float | None]:
    """Tokens per second and seconds per step over the last decode steps; None before the first."""
    seconds = run.column("seconds")[run.column("decode")][-32:]
    total = float(seconds.sum())
    return (len(seconds) / total, total / len(seconds)) if total > 0 else (None, None)
