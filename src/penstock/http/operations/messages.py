"""
Single messages as the Direct API has them, for SMS.
"""

import datetime as dt

from starlette.responses import Response

from penstock.domain.errors import (
    BadRequest,
    IdempotencyConflict,
    InsufficientFunds,
    MessageNotFound,
    PayloadTooLarge,
    UnsupportedMediaType,
)
from penstock.http import bodies, shapes, understanding, wire
from penstock.http.body import read_json
from penstock.http.call import Call, as_json
from penstock.http.decoding import decode
from penstock.http.operation import Operation, json

_BODY_ERRORS = (BadRequest, PayloadTooLarge, UnsupportedMediaType)


async def send(call: Call) -> Response:
    """Store and send up to a thousand messages."""
    content = await read_json(call.request, call.limits.max_json_bytes)
    body = decode(bodies.MESSAGES, content)
    messages = understanding.messages(body, dt.datetime.now(dt.UTC), call.limits.default_zone)
    outcomes = await call.services.messages.send(call.caller, messages, call.once(content))
    return as_json(wire.sent(messages, outcomes))


async def view(call: Call) -> Response:
    """Show one message."""
    found = await call.services.messages.view(call.caller, call.request.path_params["message_uuid"])
    return as_json(wire.message(found, call.limits.default_zone))


async def stop(call: Call) -> Response:
    """Keep single messages from leaving."""
    content = await read_json(call.request, call.limits.max_json_bytes)
    uuids = understanding.uuids(decode(bodies.STOP, content).uuids)
    codes = await call.services.messages.stop(call.caller, uuids)
    return as_json(wire.stopped(uuids, codes))


_SEND = Operation(
    method="POST",
    path="/api/v1/message",
    handler=send,
    group="Messages",
    summary="Send single messages",
    description=(
        "Takes 1…1000 messages; a bare object counts as an array of one. A failing item does not fail its "
        "neighbours: errors is then true and the item has code 400 and an errorCode. A trailing slash is accepted."
    ),
    request=json(bodies.MessageArray | bodies.MessageBody),
    answer=json(shapes.SendAnswer),
    errors=(*_BODY_ERRORS, IdempotencyConflict, InsufficientFunds),
    takes_idempotency_key=True,
)

OPERATIONS = (
    _SEND,
    Operation(
        method="POST",
        path="/api/v1/message/stop",
        handler=stop,
        group="Messages",
        summary="Stop messages",
        description=(
            "Up to 10000 messages, of dispatches too. An item answered 200 never leaves; 202 may still leave; "
            "403 is being sent or was sent; 404 is not known."
        ),
        request=json(bodies.StopBody),
        answer=json(shapes.StopAnswer),
        errors=_BODY_ERRORS,
    ),
    Operation(
        method="GET",
        path="/api/v1/message/{message_uuid}",
        handler=view,
        group="Messages",
        summary="Look at a message",
        answer=json(shapes.MessageAnswer),
        errors=(MessageNotFound,),
    ),
)
