"""
Logs: one line on stderr for each event, its name and fields as key=value.

What an exception says may quote a text or a number of somebody (PostgreSQL shows the whole row that
it refused), so above the level debug only its type, its SQLSTATE and its place in the code are told.
"""

import logging
import sys
import traceback
from types import TracebackType

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
            structlog.processors.ExceptionRenderer(_whole if level == "debug" else _places),
            structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"], bool_as_flag=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(handlers=[_Bridge()], level=_LIBRARY_LEVEL, force=True)


_Raised = tuple[type[BaseException], BaseException, TracebackType | None]


def _whole(exc_info: _Raised) -> str:
    return "".join(traceback.format_exception(exc_info[1])).rstrip("\n")


def _places(exc_info: _Raised) -> str:
    """Write where an exception and those behind it come from, and nothing of what they say."""
    error: BaseException | None = exc_info[1]
    told: list[str] = []
    while error is not None:
        told += (*traceback.format_tb(error.__traceback__), _kind(error))
        if isinstance(error, BaseExceptionGroup):
            told += (_places((type(one), one, one.__traceback__)) for one in error.exceptions)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        if error is not None:
            told.append("\nbecause of\n")
    return "".join(told)


def _kind(error: BaseException) -> str:
    """Return the type of an exception, and what PostgreSQL says of it without quoting a row."""
    names = ("sqlstate", "table_name", "constraint_name")
    known = [f"{name}={getattr(error, name)}" for name in names if getattr(error, name, None)]
    return " ".join((f"{type(error).__module__}.{type(error).__qualname__}", *known))


class _Bridge(logging.Handler):
    """Passes on what libraries say by `logging`."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        # Its first line: asyncio shows a task with what it raised in the next ones.
        said = record.getMessage().partition("\n")[0]
        structlog.get_logger().log(record.levelno, "library", name=record.name, said=said, exc_info=record.exc_info)
