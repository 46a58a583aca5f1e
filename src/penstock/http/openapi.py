"""
The OpenAPI 3.1 document, made from the table of operations and the types of their bodies.
"""

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from penstock import __version__
from penstock.domain.errors import (
    AccessDenied,
    BadCredentials,
    CallerError,
    DispatchNotFound,
    MessagesDropped,
    NotAuthenticated,
    RequestTimeout,
    StopReceiptNotFound,
    StoreUnavailable,
    TooManyRequests,
)
from penstock.http.answers import INTERNAL_ERROR
from penstock.http.operation import OPEN, Body, Operation
from penstock.http.shapes import ErrorAnswer

Json = dict[str, Any]

_REF = "#/components/schemas/{name}"
_PARAMETER = re.compile(r"\{(\w+)\}")
_EXAMPLE_ID = 10000000125
_ANY_KEY = (NotAuthenticated, BadCredentials, AccessDenied, TooManyRequests, StoreUnavailable)
_ANY_BODY = (RequestTimeout,)
_BUSY = (TooManyRequests.status, StoreUnavailable.status)
_PATH_PARAMETERS: dict[str, Json] = {
    "dispatch_id": {
        "description": "The id that creating it answered.",
        "schema": {"type": "integer", "format": "int64"},
    },
    "message_uuid": {"description": "The messageUuid.", "schema": {"type": "string", "format": "uuid"}},
}
#: What each of these answers is the parameter of others.
_MADE_BY = {
    ("/api/v1/dispatch", "$response.body#/dispatchId"): "dispatch_id",
    ("/api/v1/message", "$response.body#/items/0/messageUuid"): "message_uuid",
}
#: Fields that have two names, one of which is required; types alone cannot say so.
_EITHER = (("dispatchName", "name"), ("senderName", "source"), ("content", "message"))


def document(operations: Sequence[Operation]) -> Json:
    """Return the whole document."""
    shapes = [body.shape for one in operations for body in (one.request, one.answer) if body and body.shape]
    shapes.append(ErrorAnswer)
    schemas, components = msgspec.json.schema_components(shapes, ref_template=_REF)
    by_shape = dict(zip(map(repr, shapes), schemas, strict=True))
    components["DispatchBody"]["allOf"] = [{"anyOf": list(map(_given, names))} for names in _EITHER]
    paths: Json = {}
    for one in operations:
        paths.setdefault(one.path, {})[one.method.lower()] = _operation(one, by_shape)
    for (path, source), parameter in _MADE_BY.items():
        links = {_id(one): _link(one, parameter, source) for one in operations if f"{{{parameter}}}" in one.path}
        paths[path]["post"]["responses"]["200"]["links"] = links
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Penstock",
            "version": __version__,
            "description": "Mass messaging over the Direct HTTP API, with a stop that is exact.",
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": dict(sorted(components.items())),
            "securitySchemes": {
                "basic": {
                    "type": "http",
                    "scheme": "basic",
                    "description": "The key as it was given; it already is base64 of id and secret.",
                },
                "bearer": {"type": "http", "scheme": "bearer", "description": "The same key."},
            },
        },
    }


def _given(name: str) -> Json:
    return {"required": [name], "properties": {name: {"type": "string"}}}


def _link(one: Operation, parameter: str, source: str) -> Json:
    return {"operationId": _id(one), "parameters": {parameter: source}, "description": one.summary}


def _id(one: Operation) -> str:
    return f"{one.method.lower()}{re.sub(r'[^A-Za-z]+', '_', one.path)}".rstrip("_")


def _operation(one: Operation, by_shape: dict[str, Json]) -> Json:
    described: Json = {
        "tags": [one.group],
        "operationId": _id(one),
        "summary": one.summary,
        "responses": _answers(one, by_shape),
        "security": [] if one.kinds is OPEN else [{"basic": []}, {"bearer": []}],
    }
    if one.description:
        described["description"] = one.description
    parameters = _parameters(one)
    if parameters:
        described["parameters"] = parameters
    if one.request is not None:
        described["requestBody"] = {"required": True, **_content(one.request, by_shape)}
        if one.request.description:
            described["requestBody"]["description"] = one.request.description
    return described


def _parameters(one: Operation) -> list[Json]:
    parameters = [
        {"name": name, "in": "path", "required": True, **_PATH_PARAMETERS[name]}
        for name in _PARAMETER.findall(one.path)
    ]
    for parameter in one.query:
        schema = {"type": "array", "items": parameter.schema} if parameter.repeats else parameter.schema
        parameters.append(
            {"name": parameter.name, "in": "query", "description": parameter.description, "schema": schema}
        )
    if one.takes_idempotency_key:
        parameters.append(
            {
                "name": "Idempotency-Key",
                "in": "header",
                "description": "The same request under the same key is carried out once, for 24 hours.",
                "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
            }
        )
    return parameters


def _answers(one: Operation, by_shape: dict[str, Json]) -> Json:
    good: Json = {"description": "Done; the body is empty."}
    if one.answer is not None:
        good = {"description": one.answer.description or "Done.", **_content(one.answer, by_shape)}
    errors: tuple[type[CallerError], ...] = one.errors if one.kinds is OPEN else (*_ANY_KEY, *one.errors)
    errors = errors if one.request is None else (*errors, *_ANY_BODY)
    by_status: dict[int, list[tuple[int, str]]] = {}
    for error in errors:
        by_status.setdefault(error.status, []).append((error.code, _example_text(error)))
    by_status[500] = [(INTERNAL_ERROR, "Internal error")]
    return {"200": good, **{str(status): _error(status, found) for status, found in sorted(by_status.items())}}


def _error(status: int, found: Sequence[tuple[int, str]]) -> Json:
    answer: Json = {
        "description": "; ".join(f"{code}: {text}" for code, text in found),
        "content": {
            "application/json": {
                "schema": {"$ref": _REF.format(name="ErrorAnswer")},
                "examples": {str(code): {"value": {"error": {"code": code, "msg": text}}} for code, text in found},
            }
        },
    }
    if status in _BUSY:
        answer["headers"] = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}}
    return answer


def _example_text(error: type[CallerError]) -> str:
    if issubclass(error, DispatchNotFound | StopReceiptNotFound | MessagesDropped):
        return str(error(_EXAMPLE_ID))
    if error.code == CallerError.code:
        return "[3].destination: expected a string, got a number"
    return str(error())


def _content(body: Body, by_shape: dict[str, Json]) -> Json:
    schema = by_shape[repr(body.shape)] if body.shape else {"type": "string"}
    return {
        "content": {
            kind: {"schema": schema if kind == "application/json" else {"type": "string"}} for kind in body.types
        }
    }
