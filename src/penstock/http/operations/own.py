"""
Our own surface beside the compatible one, under a prefix of its own.
"""

import csv
import io
from collections.abc import AsyncIterator, Sequence

import msgspec
from starlette.responses import Response, StreamingResponse

from penstock.domain.errors import (
    BadRequest,
    DispatchNotFound,
    IdempotencyConflict,
    InappropriateStatus,
    MessagesDropped,
    PayloadTooLarge,
    StopReceiptNotFound,
    UnsupportedMediaType,
)
from penstock.domain.lifecycle import MessageStatus
from penstock.domain.model import MessageLine
from penstock.http import bodies, files, query, shapes, understanding, wire
from penstock.http.body import read_json
from penstock.http.call import Call, as_json
from penstock.http.decoding import decode
from penstock.http.operation import Body, Operation, Parameter, json

_PREFIX = "/api/penstock/v1/dispatch/{dispatch_id}"
_GROUP = "Beyond the Direct API"
_STATUSES = [status.value for status in MessageStatus]
_FORMATS = ("json", "csv")
_MAX_FILE_NAME = 255
_NAME = {"type": "string", "minLength": 1, "maxLength": _MAX_FILE_NAME}
_ENCODER = msgspec.json.Encoder()


async def progress(call: Call) -> Response:
    """Show one dispatch with its pace."""
    now = await call.services.dispatches.progress(call.caller, call.dispatch_id)
    return as_json(wire.progress(now, call.limits.default_zone))


async def receipt(call: Call) -> Response:
    """Show the account of a stop."""
    return as_json(wire.receipt(await call.services.stops.receipt(call.caller, call.dispatch_id)))


async def pause(call: Call) -> Response:
    """Answer once nothing more leaves until the dispatch is resumed."""
    dispatch_id = call.dispatch_id
    await call.services.stops.pause(call.caller, dispatch_id)
    return as_json(shapes.DispatchId(dispatch_id=dispatch_id))


async def resume(call: Call) -> Response:
    """Go on with a paused dispatch."""
    dispatch_id = call.dispatch_id
    await call.services.dispatches.resume(call.caller, dispatch_id)
    return as_json(shapes.DispatchId(dispatch_id=dispatch_id))


async def change(call: Call) -> Response:
    """Change the rate of a dispatch."""
    dispatch_id = call.dispatch_id
    body = decode(bodies.PATCH, await read_json(call.request, call.limits.max_json_bytes))
    rate = None if body.rate is None else understanding.rate(body.rate)
    await call.services.dispatches.set_rate(call.caller, dispatch_id, rate)
    return as_json(shapes.DispatchId(dispatch_id=dispatch_id))


async def fill(call: Call) -> Response:
    """Fill a dispatch from a file as it comes."""
    dispatch_id = call.dispatch_id
    name = query.of(call.request).text("name")
    if name is not None and not 1 <= len(name) <= _MAX_FILE_NAME:
        message = f"name: expected a file name of 1…{_MAX_FILE_NAME} characters"
        raise BadRequest(message)
    once = call.once_streamed()
    seen = _ignore if once is None else once.update
    extension, rows = files.rows_of(call.request, call.limits.max_file_bytes, seen)
    filled = await call.services.filling.fill_from(call.caller, dispatch_id, name or f"data.{extension}", rows, once)
    return as_json(wire.file_filled(filled))


def _ignore(_: bytes) -> None:
    pass


async def export(call: Call) -> Response:
    """Stream the outcome of every message; nothing is gathered."""
    dispatch_id = call.dispatch_id
    parameters = query.of(call.request)
    statuses = parameters.words("status", _STATUSES)
    wanted = parameters.word("format", _FORMATS, "json")
    batches = call.services.dispatches.lines(call.caller, dispatch_id, statuses)
    first = await anext(batches)  # raises what is wrong while it can still be answered
    if wanted == "csv":
        return StreamingResponse(_csv(first, batches), media_type="text/csv; charset=utf-8")
    return StreamingResponse(_json(first, batches), headers={"Content-Type": "application/json"})


async def _csv(first: Sequence[MessageLine], rest: AsyncIterator[list[MessageLine]]) -> AsyncIterator[bytes]:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(wire.LINE_COLUMNS)
    async for batch in _chain(first, rest):
        writer.writerows(map(wire.line_cells, batch))
        yield text.getvalue().encode()
        text.seek(0)
        text.truncate()


async def _json(first: Sequence[MessageLine], rest: AsyncIterator[list[MessageLine]]) -> AsyncIterator[bytes]:
    opening = b"["
    async for batch in _chain(first, rest):
        if batch:
            yield opening + _ENCODER.encode([wire.line(one) for one in batch])[1:-1]
            opening = b",\n"
    yield b"]" if opening != b"[" else b"[]"


async def _chain(
    first: Sequence[MessageLine], rest: AsyncIterator[list[MessageLine]]
) -> AsyncIterator[Sequence[MessageLine]]:
    yield first
    async for batch in rest:
        yield batch


OPERATIONS = (
    Operation(
        method="GET",
        path=_PREFIX,
        handler=progress,
        group=_GROUP,
        summary="Look at a dispatch",
        description="The list object with the rate now, an estimate of the finish, and the health of the carriers.",
        answer=json(shapes.ProgressAnswer),
        errors=(DispatchNotFound,),
    ),
    Operation(
        method="PATCH",
        path=_PREFIX,
        handler=change,
        group=_GROUP,
        summary="Change the rate",
        description="Works while the dispatch runs; null lifts the limit.",
        request=json(bodies.PatchBody),
        answer=json(shapes.DispatchId),
        errors=(BadRequest, PayloadTooLarge, UnsupportedMediaType, DispatchNotFound, InappropriateStatus),
    ),
    Operation(
        method="POST",
        path=f"{_PREFIX}/messages",
        handler=fill,
        group=_GROUP,
        summary="Fill a dispatch from a file",
        description=(
            "The file is read as it comes and is taken whole or not at all; rows that cannot become messages are told "
            "in the answer. CSV begins with a header: the column destination is required, the others are "
            "substitutions; comma, semicolon and tab separate. NDJSON has one element of a fill a line. "
            "Content-Encoding may be gzip; the Idempotency-Key knows a file by its unpacked content."
        ),
        query=(Parameter("name", "The name of the file, as the list shows it.", schema=_NAME),),
        request=Body((files.CSV_TYPE, files.NDJSON_TYPES[0]), None, "A file of contacts."),
        answer=json(shapes.FileAnswer),
        errors=(
            BadRequest,
            PayloadTooLarge,
            UnsupportedMediaType,
            IdempotencyConflict,
            DispatchNotFound,
            InappropriateStatus,
        ),
        takes_idempotency_key=True,
    ),
    Operation(
        method="GET",
        path=f"{_PREFIX}/messages",
        handler=export,
        group=_GROUP,
        summary="Export the outcome of every message",
        description="Streamed, in the order of the fill. Long after its end only the totals of a dispatch are kept.",
        query=(
            Parameter("status", "In one of these statuses.", True, {"enum": _STATUSES}),
            Parameter("format", "How it is written.", schema={"enum": list(_FORMATS), "default": "json"}),
        ),
        answer=Body(("application/json", "text/csv"), list[shapes.LineAnswer]),
        errors=(BadRequest, DispatchNotFound, MessagesDropped),
    ),
    Operation(
        method="GET",
        path=f"{_PREFIX}/stop-receipt",
        handler=receipt,
        group=_GROUP,
        summary="The account of a stop",
        description="The four counts add up to the total and never change; late must be 0.",
        answer=json(shapes.ReceiptAnswer),
        errors=(DispatchNotFound, StopReceiptNotFound),
    ),
    Operation(
        method="POST",
        path=f"{_PREFIX}/pause",
        handler=pause,
        group=_GROUP,
        summary="Pause a dispatch",
        description="Keeps the promise of the stop until the dispatch is resumed.",
        answer=json(shapes.DispatchId),
        errors=(DispatchNotFound, InappropriateStatus),
    ),
    Operation(
        method="POST",
        path=f"{_PREFIX}/resume",
        handler=resume,
        group=_GROUP,
        summary="Resume a paused dispatch",
        description="Sends exactly what was never sent.",
        answer=json(shapes.DispatchId),
        errors=(DispatchNotFound, InappropriateStatus),
    ),
)
