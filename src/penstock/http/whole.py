"""
An answer in one piece: its head and its body leave in one write.

ASGI hands an answer over as two events, and uvicorn writes each as it comes: two system calls of ours and two packets
that wake the client, a seventh of what HTTP costs for a single message.  A server that can do better puts a `Whole`
among the extensions of the scope, as ASGI has it; without one the answer goes the usual way.
"""

from collections.abc import Callable

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

#: Where the scope of a request has it.
EXTENSION = "penstock.whole"

#: Write a whole answer to the request of this scope; False where it has to go the usual way.
Whole = Callable[[Scope, Response], bool]


async def answer(response: Response, scope: Scope, receive: Receive, send: Send) -> None:
    """Send *response*, in one piece if it is complete and the server can."""
    whole: Whole | None = scope.get("extensions", {}).get(EXTENSION)
    # What derives from Response may be a stream.
    if whole is None or type(response) is not Response or not whole(scope, response):
        await response(scope, receive, send)
