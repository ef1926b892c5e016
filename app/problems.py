"""Our own bugs: logged with their traceback, told in one sentence, and the program goes on."""

import logging
import sys
import threading
from collections.abc import Callable
from types import TracebackType

from PySide6.QtCore import QCoreApplication

logger = logging.getLogger("latent_loupe")
TOLD_LIMIT = 3  # notices; after that only the log


def watch_for_bugs(tell: Callable[[str], None]) -> None:
    """Send every uncaught exception of this process to the log, and the first few to the person."""
    told: list[str] = []

    def report(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        logger.error("uncaught exception", exc_info=(kind, error, trace))
        told_as = QCoreApplication.translate(
            "problems", "Something went wrong inside the program ({}: {}); details are in the log."
        )
        sentence = told_as.format(kind.__name__, error)
        if sentence not in told and len(told) < TOLD_LIMIT:
            told.append(sentence)
            tell(sentence)

    def report_thread(arguments: threading.ExceptHookArgs) -> None:
        if arguments.exc_value is not None:
            report(arguments.exc_type, arguments.exc_value, arguments.exc_traceback)

    sys.excepthook = report
    threading.excepthook = report_thread
