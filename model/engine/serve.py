"""Commands in, events out: the engine, which knows neither Qt nor processes."""

from collections.abc import Generator

import torch

from model.engine.agenda import Agenda
from model.engine.inbox import Inbox
from model.messages import Event, Failed, Ready, Shutdown, Stop

CONGESTED_SECONDS = 0.005  # between two looks whether the asker has caught up


def serve(inbox: Inbox) -> Generator[Event, None, None]:
    """Answer commands until Shutdown. Every answer repeats its command's request number."""
    agenda = Agenda()
    yield _ready()
    try:
        while True:
            match inbox.take(wait=agenda.idle):
                case None:
                    questions = not inbox.congested()
                    yield from agenda.advance(questions=questions)
                case Shutdown():
                    return
                case Stop() as stop:
                    yield from agenda.stop(stop.target)
                case command:
                    yield Failed(request=command.request, message="Not yet served.")
    finally:
        agenda.close()


def _ready() -> Ready:
    cuda = [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    return Ready(devices=["cpu", *cuda], threads=torch.get_num_threads(), torch_version=str(torch.__version__))
