"""`profile DIR --texts FOLDER --out FILE`: what each expert is chosen for, counted over texts."""

import sys
from argparse import Namespace
from pathlib import Path

from app.bundled import checkpoint_path
from app.commands.conversation import Conversation
from app.commands.output import show
from model.expert_profile import ExpertProfile
from model.messages import OpenCheckpoint, Profiled, ProfileExperts, Profiling


def run(options: Namespace) -> int:
    """Write the profile and print a summary. Raises Problem."""
    command = ProfileExperts(
        texts=str(Path(options.texts).expanduser().absolute()),
        tokens=options.tokens,
        title=options.title,
        file=str(Path(options.out).expanduser().absolute()),
    )
    with Conversation() as engine:
        engine.last(OpenCheckpoint(path=checkpoint_path(options.folder), budget_bytes=options.budget))
        for event in engine.ask(command):
            if isinstance(event, Profiling) and sys.stderr.isatty():
                sys.stderr.write(f"\r{event.done:,} of {event.total:,} tokens")
    assert isinstance(event, Profiled)
    if sys.stderr.isatty():
        sys.stderr.write("\n")
    show({"out": command.file, **_result(event.profile)}, as_json=options.json)
    return 0


def _result(profile: ExpertProfile) -> dict[str, object]:
    return {
        "texts": profile.texts,
        "tokens": profile.tokens,
        "domains": dict(zip(profile.domains, profile.domain_tokens, strict=True)),
        "layers": [layer.layer for layer in profile.layers],
        "experts": len(profile.layers[0].experts) if profile.layers else 0,
        "least_tokens_of_an_expert": min(expert.tokens for layer in profile.layers for expert in layer.experts),
    }
