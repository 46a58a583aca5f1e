"""
The one place where what went wrong becomes an answer of the Direct API.
"""

import secrets

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from penstock.domain.errors import (
    CallerError,
    NotAuthenticated,
    PayloadTooLarge,
    StoreUnavailable,
    TooManyRequests,
)
from penstock.http.call import as_json
from penstock.http.shapes import ErrorAnswer, ErrorBody

_log = structlog.get_logger(__name__)

INTERNAL_ERROR = 5000


def answer_error(error: CallerError, headers: dict[str, str] | None = None) -> Response:
    """Say to the client what it did wrong, or why it has to wait."""
    return as_json(ErrorAnswer(ErrorBody(error.code, str(error))), error.status, headers or _headers(error))


async def answer_anything(error: Exception, scope: Scope, receive: Receive, send: Send, *, started: bool) -> None:
    """
    Answer whatever a handler raised; the edge of one request.

    An answer that has begun cannot be taken back: then the exception goes on, and the server cuts
    the connection, so that the client sees that something is missing.
    """
    if isinstance(error, ClientDisconnect):
        return
    if started:
        raise error
    if isinstance(error, CallerError):
        await answer_error(error)(scope, receive, send)
        return
    request_id = secrets.token_hex(8)
    request = Request(scope)
    _log.error("request_failed", request_id=request_id, method=request.method, path=request.url.path, exc_info=error)
    body = ErrorAnswer(ErrorBody(INTERNAL_ERROR, "Internal error"))
    await as_json(body, 500, {"X-Request-Id": request_id})(scope, receive, send)


def _headers(error: CallerError) -> dict[str, str] | None:
    """Return the headers that HTTP wants beside a status."""
    match error:
        case NotAuthenticated():
            return {"WWW-Authenticate": 'Basic realm="penstock"'}
        case PayloadTooLarge():
            return {"Connection": "close"}
        case StoreUnavailable() | TooManyRequests():
            return {"Retry-After": str(error.retry_after)}
        case _:
            return None
