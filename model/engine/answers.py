"""Small questions about checkpoints and runs, answered between the steps of whatever goes on."""

from model.checkpoint.folder import read_checkpoint
from model.checkpoint.plan import make_plan
from model.checkpoint.summary import summarise
from model.engine.agenda import Work
from model.engine.opened import aside, choose_device, choose_dtype
from model.engine.runs import Engine, Run
from model.lenses import attention
from model.lenses.latents import as_float32, latents
from model.messages import (
    Array,
    AttentionShown,
    Describe,
    Described,
    LatentsShown,
    RowShown,
    ScoresShown,
    ShowAttention,
    ShowLatents,
    ShowRow,
    ShowScores,
)
from model.problems import Problem


def describe(command: Describe) -> Work:
    """A checkpoint from its headers, and how it would lie in memory if it were opened."""
    checkpoint = yield from aside(lambda: read_checkpoint(command.path))
    device = choose_device(command.device)
    dtype = choose_dtype(command.dtype, checkpoint, device)
    plan = make_plan(checkpoint, dtype=dtype, device=device, budget_bytes=command.budget_bytes)
    summary = summarise(checkpoint, dtype=command.dtype, plan=plan)
    yield Described(request=command.request, summary=summary)


def show_attention(command: ShowAttention, engine: Engine) -> Work:
    """A map of some heads, in pieces."""
    run = engine.run(command.run)
    pooling = attention.pooled(
        run.recording,
        run.for_attention(),
        layer=command.layer,
        heads=command.heads,
        queries=command.queries,
        keys=command.keys,
        rows=command.rows,
        columns=command.columns,
        quantity=command.quantity,
        reduction=command.reduction,
    )
    while True:
        try:
            next(pooling)
        except StopIteration as finished:
            values, cell = finished.value
            break
        yield None
    yield AttentionShown(
        request=command.request,
        run=command.run,
        layer=command.layer,
        heads=command.heads,
        queries=command.queries,
        keys=command.keys,
        quantity=command.quantity,
        reduction=command.reduction,
        cell=cell,
        values=Array.of(values),
        gallery=command.gallery,
    )


def show_row(command: ShowRow, engine: Engine) -> Work:
    """One query's three quantities."""
    run = engine.run(command.run)
    probabilities, content, position = attention.row(
        run.recording, run.for_attention(), layer=command.layer, head=command.head, query=command.query
    )
    yield RowShown(
        request=command.request,
        run=command.run,
        layer=command.layer,
        head=command.head,
        query=command.query,
        probabilities=Array.of(probabilities),
        content_scores=Array.of(content),
        position_scores=Array.of(position),
    )


def show_scores(command: ShowScores, engine: Engine) -> Work:
    """Router scores of one MoE layer."""
    run = engine.run(command.run)
    moe_layers = run.info.config.moe_layers
    if command.layer not in moe_layers:
        raise Problem(f"Layer {command.layer} has no router; choose one of {_listed(moe_layers)}.")
    start, end = _checked(command.tokens, run)
    row = moe_layers.index(command.layer)
    scores = as_float32(run.recording.heavy("router_scores", layer_row=row, start=start, end=end))
    yield ScoresShown(
        request=command.request, run=command.run, layer=command.layer, tokens=(start, end), scores=Array.of(scores)
    )


def show_latents(command: ShowLatents, engine: Engine) -> Work:
    """The cache's rows of one layer."""
    run = engine.run(command.run)
    check_layer(command.layer, run)
    c_kv, k_rope = latents(run.recording, layer=command.layer, tokens=_checked(command.tokens, run))
    yield LatentsShown(
        request=command.request,
        run=command.run,
        layer=command.layer,
        tokens=command.tokens,
        c_kv=Array.of(c_kv),
        k_rope=Array.of(k_rope),
    )


def check_layer(layer: int, run: Run) -> None:
    """Refuse a layer that the model does not have. Raises Problem."""
    if not 0 <= layer < run.info.config.layers:
        raise Problem(f"Layer {layer} does not exist; choose one from 0 to {run.info.config.layers - 1}.")


def _checked(tokens: tuple[int, int], run: Run) -> tuple[int, int]:
    start, end = tokens
    if not 0 <= start < end <= run.recording.tokens:
        raise Problem(f"Tokens {start}:{end} are not in this run; choose a range within 0:{run.recording.tokens}.")
    return tokens


def _listed(layers: tuple[int, ...]) -> str:
    return f"{layers[0]} to {layers[-1]}" if layers else "none, since this model is dense"
