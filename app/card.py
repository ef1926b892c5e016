"""From State to the model card: what is known of the open model, in rows, and the texts beside it."""

from PySide6.QtCore import QCoreApplication

from app.bundled import BUNDLED
from app.state import State
from model.messages import CheckpointSummary
from widgets.figures import bytes_text, count_text, parameters_text
from widgets.model_card import CardFacts

translate = QCoreApplication.translate


def card_facts(state: State) -> CardFacts | None:
    """The open model's card; None while no model is open."""
    if state.model is None:
        return None
    summary, about = state.model.summary, state.about
    report = about.report if about is not None else {}
    return CardFacts(
        name=summary.name,
        path=translate("card", "It comes with the program.") if summary.path == str(BUNDLED) else summary.path,
        rows=(*_headers(summary), *_figures(report), *_profiled(state)),
        card=about.card if about is not None else "",
        licence=about.licence if about is not None else "",
        notes=(*summary.notes, *(about.notes if about is not None else ())),
    )


def _headers(summary: CheckpointSummary) -> list[tuple[str, str]]:
    config, router = summary.config, summary.config.router
    size = translate("card", "{total} parameters, {active} of them used per token; {size} of files").format(
        total=parameters_text(summary.parameters_total),
        active=parameters_text(summary.parameters_active),
        size=bytes_text(summary.file_bytes),
    )
    shape = translate("card", "{layers} layers of {heads} heads, context {context:,}").format(
        layers=config.layers, heads=config.heads, context=config.max_position_embeddings
    )
    rows = [(translate("card", "kind"), config.model_type), (translate("card", "size"), size)]
    rows.append((translate("card", "shape"), shape))
    if router is not None:
        told = translate("card", "{experts} routed, {chosen} of them per token, {shared} shared, in {layers} layers")
        experts = told.format(
            experts=router.experts,
            chosen=router.experts_per_token,
            shared=config.shared_experts,
            layers=len(config.moe_layers),
        )
        rows.append((translate("card", "experts"), experts))
    return rows


def _figures(report: dict[str, float]) -> list[tuple[str, str]]:
    """What the checkpoint's own report.json says, where it says it."""
    rows = []
    if tokens := report.get("training.tokens"):
        told = translate("card", "{tokens} tokens").format(tokens=count_text(round(tokens)))
        rows.append((translate("card", "trained on"), told))
    costs = {
        name.split(".")[1]: value
        for name, value in report.items()
        if name.startswith("held_out.") and name.endswith(".bits_per_byte") and name.count(".") == 2
    }
    if costs:
        best, worst = min(costs, key=lambda name: costs[name]), max(costs, key=lambda name: costs[name])
        told = translate("card", "{low} ({best}) to {high} ({worst}) bits per byte, by its own report").format(
            low=f"{costs[best]:.2f}", best=best, high=f"{costs[worst]:.2f}", worst=worst
        )
        rows.append((translate("card", "held-out text"), told))
    return rows


def _profiled(state: State) -> list[tuple[str, str]]:
    if state.profile is None:
        return []
    told = translate("card", "over {tokens:,} tokens of {texts}, in Routing > profile").format(
        tokens=state.profile.tokens, texts=state.profile.texts
    )
    return [(translate("card", "expert profile"), told)]
