"""`data VIEW RUN --out F.npz`: the numbers behind a view of a recording."""

from argparse import Namespace
from pathlib import Path
from typing import cast

from app.commands.conversation import Conversation
from app.commands.output import show
from app.commands.selectors import needed, placement, resolved
from model.messages import Extract, Extracted, Finished, Grown, OpenRecording, Started
from model.problems import Problem


def run(options: Namespace) -> int:
    """Write the file and print what is in it. Raises Problem for a run or a selection that is not there."""
    chosen_placement = placement(options)
    if options.view in ("attention", "latents"):
        needed(options, "layer")
    if options.view == "attention":
        needed(options, "head")
    out = Path(options.out).expanduser().absolute()
    if out.suffix != ".npz":
        raise Problem(f"{options.out} does not end in .npz; give such a name.")
    with Conversation() as engine:
        name, tokens, note = _open(engine, options.recording)
        command = Extract(
            run=name,
            view=options.view,
            file=str(out),
            layer=options.layer or 0,
            head=options.head or 0,
            queries=resolved(options.queries, tokens),
            keys=resolved(options.keys, tokens),
            devices=options.devices or 0,
            placement=chosen_placement,
        )
        extracted = cast(Extracted, engine.last(command))
    arrays = {key: {"dtype": dtype, "shape": list(shape)} for key, (dtype, shape) in extracted.arrays.items()}
    if options.json:
        result = {"run": options.recording, "view": options.view, "out": str(out), "arrays": arrays, "note": note}
        show(result, as_json=True)
    else:
        lines = {key: f"{value['dtype']} {value['shape']}" for key, value in arrays.items()}
        show(lines | ({"note": note} if note else {}), as_json=False)
    return 0


def _open(engine: Conversation, folder: str) -> tuple[str, int, str]:
    """The engine's name for a run folder, how many tokens it holds, and what is wrong with it."""
    name, tokens, note = "", 0, ""
    for event in engine.ask(OpenRecording(folder=str(Path(folder).expanduser().absolute()))):
        if isinstance(event, Started):
            name = event.info.run
        elif isinstance(event, Grown):
            tokens = event.tokens.first + event.tokens.ids.shape[0]
        elif isinstance(event, Finished) and event.reason == "failed":
            raise Problem(event.note)
        elif isinstance(event, Finished):
            note = event.note
    return name, tokens, note
