"""
Dispatches as the Direct API has them.
"""

import datetime as dt

from starlette.responses import Response

from penstock.domain.errors import (
    BadRequest,
    DispatchNotFound,
    IdempotencyConflict,
    InappropriateStatus,
    PayloadTooLarge,
    UnsupportedMediaType,
)
from penstock.domain.lifecycle import DispatchStatus
from penstock.domain.model import Entry
from penstock.http import bodies, query, shapes, understanding, wire
from penstock.http.body import read_json
from penstock.http.call import Call, as_json
from penstock.http.decoding import decode
from penstock.http.operation import Operation, Parameter, json

_BODY_ERRORS = (BadRequest, PayloadTooLarge, UnsupportedMediaType, IdempotencyConflict)
_INSTANT = {"type": "string", "format": "date-time", "examples": ["2026-03-01T20:00:00Z"]}
_ID = {"type": "integer", "format": "int64", "minimum": 1}
_PLACE = {"type": "integer", "minimum": 1, "maximum": query.MAX_REACH}


async def create(call: Call) -> Response:
    """Store a new dispatch."""
    content = await read_json(call.request, call.limits.max_json_bytes)
    body = decode(bodies.DISPATCH, content)
    draft = understanding.draft(body, dt.datetime.now(dt.UTC), call.limits.default_zone)
    dispatch_id = await call.services.dispatches.create(call.caller, draft, call.once(content))
    return as_json(shapes.DispatchId(dispatch_id=dispatch_id))


async def list_page(call: Call) -> Response:
    """Show one page of the dispatches that fit."""
    wanted = query.dispatch_filter(query.of(call.request))
    total, views = await call.services.dispatches.find(call.caller, wanted)
    items = [wire.dispatch(view, call.limits.default_zone) for view in views]
    return as_json(shapes.DispatchPage(total=total, items=items))


async def fill(call: Call) -> Response:
    """Put up to a thousand messages into a dispatch."""
    dispatch_id = call.dispatch_id
    content = await read_json(call.request, call.limits.max_json_bytes)
    entries = understanding.entries(_decode_entries(content))
    outcomes = await call.services.filling.fill(call.caller, dispatch_id, entries, call.once(content))
    return as_json(wire.filled(entries, outcomes))


async def start(call: Call) -> Response:
    """Complete the creation of a dispatch."""
    dispatch_id = call.dispatch_id
    await call.services.dispatches.start(call.caller, dispatch_id)
    return as_json(shapes.DispatchId(dispatch_id=dispatch_id))


async def stop(call: Call) -> Response:
    """Answer once nothing more of the dispatch can leave."""
    await call.services.stops.stop(call.caller, call.dispatch_id)
    return Response()


def _decode_entries(content: bytes) -> bodies.Entries:
    """Decode straight into entries; only what does not fit is looked at again, more tolerantly."""
    entries: bodies.Entries
    try:
        entries = decode(bodies.ENTRIES, content)
    except BadRequest:
        entries = decode(bodies.LOOSE_ENTRIES, content)
    return entries


OPERATIONS = (
    Operation(
        method="POST",
        path="/api/v1/dispatch",
        handler=create,
        group="Dispatches",
        summary="Create a dispatch",
        request=json(bodies.DispatchBody),
        answer=json(shapes.DispatchId),
        errors=_BODY_ERRORS,
        takes_idempotency_key=True,
    ),
    Operation(
        method="POST",
        path="/api/v1/dispatch/{dispatch_id}/messages",
        handler=fill,
        group="Dispatches",
        summary="Fill a dispatch",
        description=(
            "Puts 1…1000 messages into a dispatch that is not started yet; a bare object counts as an array of one. "
            "The answer has one element per element of the request, in its order; one bad element never fails its "
            "neighbours."
        ),
        request=json(bodies.EntryArray | Entry),
        answer=json(list[shapes.FilledItem]),
        errors=(*_BODY_ERRORS, DispatchNotFound, InappropriateStatus),
        takes_idempotency_key=True,
    ),
    Operation(
        method="POST",
        path="/api/v1/dispatch/{dispatch_id}/start",
        handler=start,
        group="Dispatches",
        summary="Start a dispatch",
        description="Completes the creation: nothing can be added afterwards. An empty dispatch is done at once.",
        answer=json(shapes.DispatchId),
        errors=(DispatchNotFound, InappropriateStatus),
    ),
    Operation(
        method="POST",
        path="/api/v1/dispatch/{dispatch_id}/stop",
        handler=stop,
        group="Dispatches",
        summary="Stop a dispatch",
        description=(
            "Once this has answered 200, not one more message of the dispatch leaves. What was handed over before goes "
            "on to its final status. A call that finds a stop under way waits for it and answers the same."
        ),
        errors=(DispatchNotFound, InappropriateStatus),
    ),
    Operation(
        method="GET",
        path="/api/v1/dispatch",
        handler=list_page,
        group="Dispatches",
        summary="List dispatches",
        description="Newest first. The five counters always add up to the total.",
        query=(
            Parameter("created_from", "Created at or after this instant.", schema=_INSTANT),
            Parameter("created_to", "Created at or before this instant.", schema=_INSTANT),
            Parameter("status", "In one of these statuses.", True, {"enum": [s.value for s in DispatchStatus]}),
            Parameter("dispatch_id", "One of these ids.", True, _ID),
            Parameter("dispatch_name", "A part of the name; case does not matter.", schema={"type": "string"}),
            Parameter("traffic_center_id", "Of one of these traffic centres.", True, _ID),
            Parameter("page", "From 1; page × per_page is at most 10000.", schema={**_PLACE, "default": 1}),
            Parameter("per_page", "Dispatches on a page.", schema={**_PLACE, "default": 100}),
        ),
        answer=json(shapes.DispatchPage),
        errors=(BadRequest,),
    ),
)
