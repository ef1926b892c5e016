"""A checkpoint's description and memory plan in words and figures."""

from PySide6.QtCore import QCoreApplication

from widgets.checkpoint_facts import CheckpointFacts, MemoryPlan, Verdict
from widgets.figures import bytes_text, count_text, parameters_text

Row = tuple[str, str, str]


def description(facts: CheckpointFacts) -> str:
    """Some lines: family and size, attention and experts, stored formats, tokenizer, a limit of the length."""
    lines = [_family(facts), _parts(facts)]
    if facts.formats:
        lines.append(_translated("Stored as {formats}").format(formats=formats_text(facts.formats)))
    lines.append(_tokenizer(facts))
    if facts.dense_tokens is not None and facts.dense_tokens < facts.context:
        limit = _translated("Runs up to {tokens} tokens: beyond them the model attends sparsely, which is not modelled")
        lines.append(limit.format(tokens=f"{facts.dense_tokens:,}"))
    return "\n".join(lines)


def formats_text(formats: dict[str, int]) -> str:
    """Stored bytes by format, the largest first: `fp8 e4m3 641 GB · bfloat16 20 GB`."""
    ordered = sorted(formats.items(), key=lambda entry: -entry[1])
    # An en space, since names of formats may end in a number.
    return " · ".join(f"{name}\u2002{bytes_text(size)}" for name, size in ordered)


def table(facts: CheckpointFacts, plan: MemoryPlan) -> list[Row]:
    """The memory plan: what, how much, and a remark."""
    as_mha = _translated("as MHA {size}")
    latents = _translated("KV latents, {tokens} tokens")
    longest = _translated("KV latents, full context of {tokens}")
    if facts.kv_kind != "mla":
        latents, longest = _translated("KV cache, {tokens} tokens"), _translated("KV cache, full context of {tokens}")
    latents, longest = latents.format(tokens=f"{plan.tokens:,}"), longest.format(tokens=f"{plan.context:,}")
    return [
        (_translated("Stays in memory"), bytes_text(plan.resident), _translated("weights that are converted, routers")),
        *_expert_rows(facts),
        (
            _translated("Read from the files"),
            bytes_text(facts.file_bytes),
            _translated("mapped: pages come and go as needed"),
        ),
        (latents, bytes_text(plan.latents), as_mha.format(size=bytes_text(plan.latents_mha))),
        (longest, bytes_text(plan.context_latents), as_mha.format(size=bytes_text(plan.context_mha))),
        (_translated("Recording"), bytes_text(plan.recording), _translated("at most")),
        (_translated("Free"), bytes_text(plan.free), ""),
    ]


def verdict_text(facts: CheckpointFacts, plan: MemoryPlan) -> str:
    """Whether it fits, in a sentence or two with numbers."""
    values = {
        "needed": bytes_text(plan.needed),
        "resident": bytes_text(plan.resident),
        "budget": bytes_text(plan.budget),
        "free": bytes_text(plan.free),
        "share": f"{100 * plan.share:.0f}",
        "tokens": f"{plan.tokens:,}",
    }
    if not plan.fits:
        return _refusal(plan).format(**values)
    sentences: dict[Verdict, str] = {
        "fits": _translated("Fits: {needed} for {tokens} tokens is {share} % of the free memory."),
        "tight": _translated("Only just fits: {needed} for {tokens} tokens is {share} % of the free memory."),
        "too big": _translated("Does not fit: {needed} needed for {tokens} tokens, {free} free."),
    }
    parts = [sentences[plan.verdict].format(**values)]
    if plan.verdict != "too big" and plan.resident + plan.context_latents + plan.recording > plan.free:
        parts.append(_translated("The full context does not."))
    if plan.verdict != "too big" and facts.experts and facts.file_bytes > plan.free:
        parts.append(
            _translated(
                "The files are larger than the free memory: experts are read from the files when they are chosen."
            )
        )
    return " ".join(parts)


def _refusal(plan: MemoryPlan) -> str:
    """Why the engine would not open it, with a remedy; `{resident}`, `{budget}` and `{free}` are to be filled in."""
    if plan.budget and plan.resident > plan.budget:
        return _translated("Does not fit the budget: {resident} must stay in memory, {budget} are allowed.")
    if plan.budget:
        return _translated("Does not fit the budget: {resident} of weights and one run are more than {budget}.")
    if plan.resident > plan.free:
        return _translated("Does not fit: {resident} must stay in memory, {free} free.")
    return _translated(
        "Does not fit: {resident} of weights and one run are more than the automatic budget, "
        "a part of the {free} free; set a larger one."
    )


def _family(facts: CheckpointFacts) -> str:
    first = _translated("{family} family ({model_type}) · {total} parameters, {active} active · {layers} layers")
    return first.format(
        family=facts.family,
        model_type=facts.model_type,
        total=parameters_text(facts.total),
        active=parameters_text(facts.active),
        layers=facts.layers,
    )


def _parts(facts: CheckpointFacts) -> str:
    told = _translated("{heads} heads, KV latent {rank}").format(heads=facts.heads, rank=count_text(facts.kv_lora_rank))
    if facts.kv_heads is not None:
        told = _translated("{heads} heads, {kv_heads} of keys and values ({kind})")
        told = told.format(heads=facts.heads, kv_heads=facts.kv_heads, kind=facts.kv_kind.upper())
    parts = [told]
    if facts.q_lora_rank is not None:
        parts.append(_translated("query latent {rank}").format(rank=count_text(facts.q_lora_rank)))
    if facts.experts:
        experts = _translated("{chosen} of {experts} experts per token, {shared} shared")
        if facts.groups > 1:
            experts = _translated("{chosen} of {experts} experts per token in {groups} groups, {shared} shared")
        if facts.zero_experts:
            experts += _translated(", {zero} of them zero experts")
        parts.append(
            experts.format(
                chosen=facts.experts_per_token,
                experts=facts.experts,
                groups=facts.groups,
                shared=facts.shared,
                zero=facts.zero_experts,
            )
        )
    return " · ".join(parts)


def _tokenizer(facts: CheckpointFacts) -> str:
    if not facts.has_tokenizer:
        return _translated("No tokenizer: prompts are token ids")
    return (
        _translated("Tokenizer and chat template")
        if facts.has_chat_template
        else _translated("Tokenizer, no chat template")
    )


def _expert_rows(facts: CheckpointFacts) -> list[Row]:
    if not facts.largest_expert_bytes:
        return []
    one = bytes_text(facts.largest_expert_bytes)
    if not facts.expert_cache_bytes:
        return [(_translated("One expert"), one, _translated("used as it lies in the files"))]
    held = facts.expert_cache_bytes // facts.largest_expert_bytes
    remark = _translated("of that; holds {count} experts of {size}")
    return [
        (_translated("Expert cache"), bytes_text(facts.expert_cache_bytes), remark.format(count=f"{held:,}", size=one))
    ]


def _translated(text: str) -> str:
    return QCoreApplication.translate("CheckpointSheet", text)
