"""
The HTTP side as one ASGI application.

A request passes, in this order: the path exists, the method fits, the key is good, its kind is
suitable — then its handler reads the body.  Whatever is raised on the way becomes an answer in
`answers`.  There is no middleware: a single message is a request of its own, and pays for each layer.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from penstock.domain.errors import MethodNotAllowed, PathNotFound
from penstock.domain.model import Caller
from penstock.http import whole
from penstock.http.answers import answer_anything, answer_error
from penstock.http.auth import authenticate, require_kind
from penstock.http.call import Call
from penstock.http.guesses import Guesses
from penstock.http.limits import Limits
from penstock.http.operation import OPEN, Body, Operation
from penstock.http.operations import dispatches, messages, own
from penstock.http.reference import reference_operations
from penstock.http.service import Services

Metrics = Callable[[], Awaitable[bytes]]

_NOBODY = Caller(account_id=0, key_id=0, kind=0, traffic_center_id=None)


def build(services: Services, limits: Limits, metrics: Metrics | None = None) -> ASGIApp:
    """Build the application on *services*; *metrics* returns the Prometheus text for ``/metrics``."""
    documented = (*dispatches.OPERATIONS, *messages.OPERATIONS, *own.OPERATIONS, *_pings())
    operations = (*documented, *reference_operations(documented))
    if metrics is not None:
        operations = (*operations, _metrics(metrics))
    resources = _resources(operations, services, limits, Guesses())
    return Edge(resources)


class Edge:
    """The edge of one request: nothing is raised past it but what cannot be answered any more."""

    def __init__(self, resources: Mapping[str, "Resource"]) -> None:
        """Stand around *resources*, by path."""
        self._router = Router([Route(*item) for item in resources.items()], redirect_slashes=False)
        self._router.default = _path_not_found
        # A router tries one pattern after the other, a tenth of what HTTP costs for a single message.
        self._plain: dict[str, ASGIApp] = {path: one for path, one in resources.items() if "{" not in path}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._router(scope, receive, send)
            return
        started = False

        async def watch(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._plain.get(scope["path"], self._router)(scope, receive, watch)
        except Exception as error:  # noqa: BLE001 - the edge of one request
            await answer_anything(error, scope, receive, send, started=started)


class Resource:
    """A path with its methods."""

    def __init__(self, operations: Iterable[Operation], services: Services, limits: Limits, guesses: Guesses) -> None:
        """Serve *operations*, one a method."""
        self._operations = {operation.method: operation for operation in operations}
        if "GET" in self._operations:
            self._operations["HEAD"] = self._operations["GET"]
        self._services = services
        self._limits = limits
        self._guesses = guesses

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request to the path."""
        response = await self._answer(Request(scope, receive, send))
        await whole.answer(response, scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        operation = self._operations.get(request.method)
        if operation is None:
            return answer_error(MethodNotAllowed(), {"Allow": ", ".join(sorted(self._operations))})
        caller = _NOBODY
        if operation.kinds is not OPEN:
            caller = await authenticate(request, self._services.keys, self._guesses)
            require_kind(caller, operation.kinds)
        return await operation.handler(Call(request, caller, self._services, self._limits))


def _resources(
    operations: Iterable[Operation], services: Services, limits: Limits, guesses: Guesses
) -> Mapping[str, Resource]:
    """Gather the operations of each path, in their order: a path without parameters comes before one that hides it."""
    by_path: dict[str, list[Operation]] = {}
    for operation in operations:
        by_path.setdefault(operation.path, []).append(operation)
    resources = {path: Resource(found, services, limits, guesses) for path, found in by_path.items()}
    resources["/api/v1/message/"] = resources["/api/v1/message"]
    return resources


async def _path_not_found(_scope: Scope, _receive: Receive, _send: Send) -> None:
    raise PathNotFound


async def _pong(_call: Call) -> Response:
    return PlainTextResponse("PONG")


def _pings() -> tuple[Operation, ...]:
    return tuple(
        Operation(
            method="GET",
            path=path,
            handler=_pong,
            kinds=OPEN,
            group="Service",
            summary="See whether the server answers",
            answer=Body(("text/plain",), str),
        )
        for path in ("/api/v1/ping", "/ping")
    )


def _metrics(metrics: Metrics) -> Operation:
    async def show(_call: Call) -> Response:
        return Response(await metrics(), media_type="text/plain; version=0.0.4; charset=utf-8")

    return Operation(
        method="GET", path="/metrics", handler=show, kinds=OPEN, group="Service", summary="Prometheus metrics"
    )
