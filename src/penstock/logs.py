"""
Logs: one line on stderr for each event, its name and fields as key=value.
"""

import logging
import sys

import structlog

#: Libraries speak up when something is wrong, not before.
_LIBRARY_LEVEL = logging.WARNING


def set_up(level: str) -> None:
    """Write what is of *level* or worse to stderr, that of libraries from warnings on."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"], bool_as_flag=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(handlers=[_Bridge()], level=_LIBRARY_LEVEL, force=True)


class _Bridge(logging.Handler):
    """Passes on what libraries say by `logging`."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        structlog.get_logger().log(
            record.levelno, "library", name=record.name, said=record.getMessage(), exc_info=record.exc_info
        )
