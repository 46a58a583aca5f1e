"""
The reference of the surface: ``/openapi.json`` for programs, ``/docs`` for people.

The page needs nothing from outside, so that it works on a machine without the Internet.
"""

import functools
from collections.abc import Sequence

import jinja2
from starlette.responses import Response

from penstock.http import openapi
from penstock.http.call import Call, Handler, as_json
from penstock.http.openapi import Json
from penstock.http.operation import OPEN, Operation
from penstock.http.page_words import WORDS

_PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def reference_operations(operations: Sequence[Operation]) -> tuple[Operation, ...]:
    """Return the two operations that show the reference of *operations*, made when it is first looked at."""

    @functools.cache
    def document() -> Json:
        return openapi.document(operations)

    @functools.cache
    def page(language: str) -> bytes:
        return _render(document(), language).encode()

    async def show_document(_call: Call) -> Response:
        return as_json(document())

    async def show_page(call: Call) -> Response:
        asked = call.request.query_params.get("lang", "en")
        headers = {"Content-Security-Policy": _PAGE_POLICY, "X-Content-Type-Options": "nosniff"}
        return Response(page(asked if asked in WORDS else "en"), 200, headers, "text/html; charset=utf-8")

    return (
        _open_operation("/openapi.json", show_document, "This reference as OpenAPI 3.1"),
        _open_operation("/docs", show_page, "This reference as a page"),
    )


def _open_operation(path: str, handler: Handler, summary: str) -> Operation:
    return Operation(method="GET", path=path, handler=handler, kinds=OPEN, group="Service", summary=summary)


def _render(document: Json, language: str) -> str:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("penstock.http", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["type"] = lambda schema: _type(schema, document)
    groups: dict[str, list[Json]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            entry = {"path": path, "method": method.upper(), **operation}
            groups.setdefault(operation["tags"][0], []).append(entry)
    return environment.get_template("reference.html").render(
        document=document,
        groups=groups,
        schemas=document["components"]["schemas"],
        words=WORDS[language],
        language=language,
    )


def _type(schema: Json, document: Json) -> str:
    """Put a schema into a few words: a type, its bounds, or the name of the object."""
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    if "enum" in schema:
        return " | ".join(str(value) for value in schema["enum"])
    if "const" in schema:
        return str(schema["const"])
    if "anyOf" in schema:
        kinds = [_type(one, document) for one in schema["anyOf"] if one.get("type") != "null"]
        return " | ".join(dict.fromkeys(kinds))
    words = str(schema.get("type", "any"))
    if words == "array":
        return f"[{_type(schema.get('items', {}), document)}]"
    low, high = schema.get("minimum", schema.get("minLength")), schema.get("maximum", schema.get("maxLength"))
    if low is not None or high is not None:
        words += f" {'' if low is None else low}…{'' if high is None else high}"
    return words
