"""The Measure command."""

from model.engine.agenda import Work
from model.engine.runs import Engine
from model.messages import Measure, Measured


def measure(command: Measure, engine: Engine) -> Work:
    """Placeholder."""
    engine.open_model()
    yield Measured(request=command.request, measures={}, notes=[])
