"""The study in words and tables: the shipped README, the model cards, and what `study-report` prints."""

from statistics import mean

from model.study_report import StudiedModel, StudyReport

NAMES = {"mha": "MHA", "gqa": "GQA, 2 groups", "mqa": "MQA", "mla": "MLA"}
FORMED = 0.2  # mean weight from which a head may be called an induction head
# 95 % of Student's t for two seeds or more, two-sided; with one seed nothing can be said.

STUDENT = {2: 12.71, 3: 4.30, 4: 3.18, 5: 2.78}


def table(report: StudyReport) -> str:
    """The four, one a row."""
    head = (
        "| attention | parameters | KV bytes/token, formula | measured | held-out bits/byte | best induction head "
        "| repetition saves, bits/token | tokens/s at 64 | at 2,048 |\n|---|---|---|---|---|---|---|---|---|"
    )
    rows = [
        f"| {NAMES[model.kind]} | {model.parameters:,} | {model.kv_bytes_formula:,} | {model.kv_bytes_measured:,.0f} "
        f"| {spread(model.bits_per_byte, 4)} | {spread(model.induction, 2)} | {spread(model.repetition_gain, 2)} "
        f"| {model.tokens_per_second['64']:,.0f} | {model.tokens_per_second['2048']:,.0f} |"
        for model in report.models
    ]
    return "\n".join([head, *rows])


def domains(report: StudyReport) -> str:
    """Held-out bits per byte by domain, the mean over seeds."""
    names = [NAMES[model.kind] for model in report.models]
    head = f"| domain | {' | '.join(names)} |\n|---|{'---|' * len(names)}"
    rows = [
        f"| {domain} | {' | '.join(f'{mean(model.held_out[domain]):.4f}' for model in report.models)} |"
        for domain in report.models[0].held_out
    ]
    return "\n".join([head, *rows])


def paper(report: StudyReport) -> str:
    """The paper's own rows, marked as such."""
    kinds = ("mha", "gqa", "mqa", "mla")
    head = "| DeepSeek-V2 paper | what | MHA | GQA | MQA | MLA |\n|---|---|---|---|---|---|"
    rows = [
        f"| {row.table} | {row.what} | {' | '.join(row.values.get(kind, '–') for kind in kinds)} |"
        for row in report.paper
    ]
    return "\n".join([head, *rows])


def spread(values: list[float], digits: int) -> str:
    """Mean over seeds, with half the distance between the extremes."""
    told = f"{mean(values):.{digits}f}"
    return told if len(values) < 2 else f"{told} ± {(max(values) - min(values)) / 2:.{digits}f}"


def outcome(report: StudyReport) -> str:
    """What came out, in sentences that follow from the numbers alone."""
    ranked = sorted(report.models, key=lambda model: mean(model.bits_per_byte))
    order = ", ".join(f"{NAMES[model.kind]} {mean(model.bits_per_byte):.4f}" for model in ranked)
    told = [f"Held-out bits per byte, best first: {order}."]
    others = [model for model in report.models if model.kind != "mla"]
    latent = next(model for model in report.models if model.kind == "mla")
    told += [_compared(latent, other) for other in others]
    return " ".join(told)


def heads(report: StudyReport) -> str:
    """Whether induction heads formed, and which text the seeds disagree about most."""
    best = max(max(model.induction) for model in report.models)
    formed = "An induction head formed" if best > FORMED else "No induction head formed"
    ranges = {
        name: mean(max(model.held_out[name]) - min(model.held_out[name]) for model in report.models)
        for name in report.models[0].held_out
    }
    unsure = max(ranges, key=lambda name: ranges[name])
    told = f"{formed} in any of them (best mean weight {best:.2f})."
    if len(report.seeds) < 2:
        return told
    return f"{told} The seeds differ most on `{unsure}`, by {ranges[unsure]:.2f} bits per byte on average."


def _compared(latent: StudiedModel, other: StudiedModel) -> str:
    """MLA against another, seed by seed: every seed gives both the same text in the same order."""
    gaps = [ours - theirs for ours, theirs in zip(latent.bits_per_byte, other.bits_per_byte, strict=True)]
    gap, share = mean(gaps), latent.kv_bytes_formula / other.kv_bytes_formula
    size = f"{share:.2f} times the cache of {NAMES[other.kind]}"
    way = "fewer" if gap < 0 else "more"
    if len(gaps) < 2:
        return f"MLA has {size} and takes {abs(gap):.4f} bits per byte {way}, on one seed."
    deviation = (sum((one - gap) ** 2 for one in gaps) / (len(gaps) - 1)) ** 0.5
    sure = STUDENT.get(len(gaps), 2.5) * deviation / len(gaps) ** 0.5
    if sure >= abs(gap):
        return f"MLA has {size}; the difference of {gap:+.4f} bits per byte is within the seeds' noise (± {sure:.4f})."
    return f"MLA has {size} and takes {abs(gap):.4f} ± {sure:.4f} bits per byte {way}."


LIMITS = """\
What this can say: with the same text in the same order, the same width, depth, experts and budget, and sizes equal to
0.2 %, these four attentions cost this many bytes and predict held-out text this well. What it cannot say: models of
1.2 million parameters with heads of 16 elements read short texts whose next token depends mostly on the last few, so
attention has little to lose when keys are shared, and differences of a few thousandths of a bit say nothing about
models a thousand times larger. The paper's rows are the paper's, measured on other data with other tasks. The seeds'
spread is the only error bar here; it covers chance in the weights, not the choice of recipe.
"""
