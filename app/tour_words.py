"""The tour's sentences: one template for each kind of stop, filled with what was measured there."""

from PySide6.QtCore import QCoreApplication

from model.tour import Kind, Stop

translate = QCoreApplication.translate

VIEWS: dict[Kind, str] = {"expert": "routing", "devices": "load", "memory": "memory"}  # all others: attention
RIGHT = 0.5  # probability from which an answer counts as known


def view_of(stop: Stop) -> str:
    """The name of the view that the stop is about."""
    return VIEWS.get(stop.kind, "attention")


def title(stop: Stop) -> str:
    """A stop in two or three words."""
    titles = {
        "previous": translate("tour", "The token before"),
        "induction": translate("tour", "The earlier copy"),
        "recall": translate("tour", "Looking up a value"),
        "brackets": translate("tour", "Matching brackets"),
        "sink": translate("tour", "A resting head"),
        "expert": translate("tour", "{subject} expert").format(subject=_subject(stop).capitalize()),
        "devices": translate("tour", "Devices in balance"),
        "memory": translate("tour", "A small cache"),
    }
    return titles[stop.kind]


def sentence(stop: Stop) -> str:
    """What is seen there, in one sentence whose every figure was measured."""
    return _template(stop).format(
        layer=stop.layer,
        head=stop.head,
        expert=stop.expert,
        subject=_subject(stop),
        key=stop.words.get("key", ""),
        answer=stop.words.get("answer", ""),
        **_figures(stop),
    )


def _template(stop: Stop) -> str:
    kind: str = stop.kind
    if kind == "recall" and stop.figures["probability"] < RIGHT:
        kind = "recall, wrong"
    if kind == "sink" and stop.words.get("also") == "recall":
        kind = "sink, recall"
    return {
        "previous": translate(
            "tour",
            "Layer {layer}, head {head} looks at the token before: it gives it {share} of its weight on average here, "
            "{general} over held-out texts; that is the bright line beside the diagonal.",
        ),
        "induction": translate(
            "tour",
            "Layer {layer}, head {head} finds the earlier copy: the second time a word gives {share} of its weight to "
            "what followed it the first time, and so costs {second} bits instead of {first}.",
        ),
        "recall": translate(
            "tour",
            "Layer {layer}, head {head} looks values up: just before an answer it gives {share} of its weight to the "
            "value of the key asked for, and the model says {answer} for {key} with probability {probability}.",
        ),
        "recall, wrong": translate(
            "tour",
            "Layer {layer}, head {head} looks values up: just before an answer it gives {share} of its weight to the "
            "value of the key asked for, though the model gives the right one for {key}, {answer}, only {probability}.",
        ),
        "brackets": translate(
            "tour",
            "Layer {layer}, head {head} matches brackets: a closing one gives {share} of its weight to its own opener, "
            "where looking at all tokens alike would give it {even}.",
        ),
        "sink": translate(
            "tour",
            "Layer {layer}, head {head} mostly rests: {share} of its weight stays on the first token, which says "
            "nothing but that a text begins.",
        ),
        "sink, recall": translate(
            "tour",
            "The head that looks values up, layer {layer}, head {head}, rests where there are none: {share} of its "
            "weight stays on the first token, which says nothing but that a text begins.",
        ),
        "expert": translate(
            "tour",
            "In layer {layer}, expert {expert} is chosen for {share_percent} % of these {subject} tokens, but for "
            "{overall_percent} % of held-out tokens of all domains.",
        ),
        "devices": translate(
            "tour",
            "Many kinds of text at once: over all layers the busiest of {devices} simulated devices carries "
            "{violation_percent} % more than the mean, over the held-out texts {general_percent} %; single layers "
            "differ more, here layer {layer} by {largest_percent} %.",
        ),
        "memory": translate(
            "tour",
            "A token's latents take {latent} B in the cache of all layers, in float32, besides spare room that shrinks "
            "as it fills; keys and values of every head would take {full} B, {times} times as much.",
        ),
    }[kind]


def _figures(stop: Stop) -> dict[str, str]:
    """Every figure of the stop as it is written: a share, and also in percent; bits; bytes."""
    written = {name: f"{value:.2f}" for name, value in stop.figures.items()}
    written |= {f"{name}_percent": f"{100 * value:.0f}" for name, value in stop.figures.items()}
    written |= {name: f"{stop.figures[name]:.1f}" for name in ("first", "second") if name in stop.figures}
    written |= {name: f"{stop.figures[name]:,.0f}" for name in ("latent", "full", "devices") if name in stop.figures}
    if stop.kind == "memory":
        written["times"] = f"{stop.figures['full'] / stop.figures['latent']:.3g}"
    return written


def _subject(stop: Stop) -> str:
    subjects = {
        "French": translate("tour", "French"),
        "Chinese": translate("tour", "Chinese"),
        "Russian": translate("tour", "Russian"),
        "sums": translate("tour", "number"),
        "Python": translate("tour", "Python"),
    }
    subject = stop.words.get("subject", "")
    return subjects.get(subject, subject)
