"""`verify DIR`: the proof of a checkpoint, in float32."""

from argparse import Namespace

from app.bundled import checkpoint_path
from app.commands.conversation import Conversation
from app.commands.output import show
from model.messages import OpenCheckpoint, Verified, Verify
from model.problems import Problem


def run(options: Namespace) -> int:
    """Print the largest differences. Raises Problem when the proof fails."""
    with Conversation() as engine:
        checkpoint = checkpoint_path(options.folder)
        engine.last(OpenCheckpoint(path=checkpoint, dtype="float32", budget_bytes=options.budget))
        proof = engine.last(Verify())
    assert isinstance(proof, Verified)
    result: dict[str, object] = {
        "attention_max_abs": proof.attention_max_abs,
        "absorbed_max_abs": proof.absorbed_max_abs,
        "routing_equal": proof.routing_equal,
        "tokens": proof.tokens,
        "passed": proof.passed,
    }
    show(result, as_json=options.json)
    if not proof.passed:
        raise Problem(f"{options.folder} did not pass: rebuilt and plain results differ; do not trust its pictures.")
    return 0
