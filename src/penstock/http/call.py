"""
One request on its way to the one handler that answers it.
"""

import re
from collections.abc import Awaitable, Callable

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from penstock.domain.errors import BadRequest, DispatchNotFound
from penstock.domain.model import Caller, Idempotency, StreamedIdempotency
from penstock.http.limits import Limits
from penstock.http.service import Services

Handler = Callable[["Call"], Awaitable[Response]]

_ENCODER = msgspec.json.Encoder()
_MAX_ID = 2**63 - 1
_IDEMPOTENCY_KEY = re.compile(r"[!-~]{1,255}")
_ID = re.compile(r"[1-9][0-9]{0,18}", re.ASCII)


class Call:
    """A request whose path, method and key are known to be good, with what is needed to answer it."""

    __slots__ = ("caller", "limits", "request", "services")

    def __init__(self, request: Request, caller: Caller, services: Services, limits: Limits) -> None:
        """Bind a request to its caller."""
        self.request = request
        self.caller = caller
        self.services = services
        self.limits = limits

    @property
    def dispatch_id(self) -> int:
        """The dispatch that the path names; an id that no dispatch can have is not found, as any other."""
        given: str = self.request.path_params["dispatch_id"]
        if _ID.fullmatch(given) is None or int(given) > _MAX_ID:
            raise DispatchNotFound(given)
        return int(given)

    def once(self, content: bytes) -> Idempotency | None:
        """Return the Idempotency-Key with a digest of method, path, query and *content*, if a key was sent."""
        streamed = self.once_streamed()
        if streamed is None:
            return None
        streamed.update(content)
        return streamed.finish()

    def once_streamed(self) -> StreamedIdempotency | None:
        """Return the Idempotency-Key for a content that is still to come, if a key was sent."""
        keys = self.request.headers.getlist("idempotency-key")
        if not keys:
            return None
        if len(keys) > 1 or _IDEMPOTENCY_KEY.fullmatch(keys[0]) is None:
            message = "Idempotency-Key: expected one value of 1…255 visible ASCII characters"
            raise BadRequest(message)
        scope = self.request.scope
        head = f"{scope['method']} {scope['path']}?".encode() + scope["query_string"] + b"\n"
        return StreamedIdempotency(keys[0], head)


def as_json(value: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Answer with *value* as JSON."""
    return Response(_ENCODER.encode(value), status, headers, media_type="application/json")
