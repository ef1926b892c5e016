"""Questions about attention and latents at any length, answered in stages between the steps of what goes on."""

from model.engine.agenda import Work
from model.engine.runs import Engine
from model.lens_messages import Question
from model.problems import Problem


def answer(command: Question, engine: Engine) -> Work:
    """The stages of one answer. Raises Problem for what the run does not have."""
    engine.run(command.run)
    yield None
    raise Problem("This view cannot be answered yet; update the program.")
