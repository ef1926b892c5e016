"""Qt's own messages go to Python's log; one that means nothing without a display is dropped."""

import logging

from PySide6.QtCore import QMessageLogContext, QtMsgType, qInstallMessageHandler

logger = logging.getLogger("qt")
MEANINGLESS = "This plugin does not support propagateSizeHints()"  # the offscreen platform, at every window
LEVELS = {
    QtMsgType.QtDebugMsg: logging.DEBUG,
    QtMsgType.QtInfoMsg: logging.INFO,
    QtMsgType.QtWarningMsg: logging.WARNING,
    QtMsgType.QtCriticalMsg: logging.ERROR,
    QtMsgType.QtFatalMsg: logging.CRITICAL,
}


def log_qt_messages() -> None:
    """Take over Qt's messages for the rest of the process."""
    qInstallMessageHandler(_log)


def _log(kind: QtMsgType, _context: QMessageLogContext, text: str) -> None:
    if text != MEANINGLESS:
        logger.log(LEVELS.get(kind, logging.WARNING), text)
