"""`render`: one view of a recording as a picture, through the same widgets as the window."""

import os
from argparse import Namespace
from pathlib import Path

from app.commands.output import show
from app.commands.selectors import placement
from model.problems import Problem

LONGEST_EDGE = 32_000  # pixels; Qt paints no longer ones
MOST_PIXELS = 10**8  # 400 MB


def run(options: Namespace) -> int:
    """Paint and say where. Raises Problem for a run, a selector or a file that will not do."""
    if not 1 <= options.scale <= 4:
        raise Problem(f"--scale {options.scale:g} is not between 1 and 4.")
    width, height = (edge * options.scale for edge in options.size)
    if max(width, height) > LONGEST_EDGE or width * height > MOST_PIXELS:
        raise Problem(
            f"A picture of {width:.0f} × {height:.0f} pixels is too large; choose at most {LONGEST_EDGE:,} on an edge "
            f"and {MOST_PIXELS:,} in all."
        )
    os.environ["QT_QPA_PLATFORM"] = "offscreen"  # no display is needed, and none is used

    from app.rendering import Picture, render  # Qt, which must not load before the platform is chosen

    picture = Picture(
        view=options.view,
        run=options.recording,
        out=Path(options.out),
        layer=options.layer,
        head=options.head,
        queries=options.queries,
        keys=options.keys,
        devices=options.devices or 0,
        placement=placement(options),
        size=options.size,
        scale=options.scale,
        theme=options.theme,
    )
    sentence = render(picture)
    show({"out": str(picture.out), "caption": sentence}, as_json=options.json)
    return 0
