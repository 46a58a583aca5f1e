"""
One operation of the surface: what the router, the key check and the reference all read.
"""

from collections.abc import Mapping

import msgspec

from penstock.domain.errors import CallerError
from penstock.http.call import Handler

TOKEN_1 = frozenset({1})
#: No key is asked for.
OPEN: frozenset[int] = frozenset()


class Body(msgspec.Struct, frozen=True):
    """What a request brings or an answer holds: media types and, for JSON, the type of the value."""

    types: tuple[str, ...]
    shape: object = None  #: a type that msgspec can describe; None for text and files
    description: str = ""


class Parameter(msgspec.Struct, frozen=True):
    """A parameter of the query."""

    name: str
    description: str
    repeats: bool = False
    schema: Mapping[str, object] = {}


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """A method of a path, with who may call it and what comes of it."""

    method: str
    path: str
    handler: Handler
    summary: str
    group: str
    description: str = ""
    kinds: frozenset[int] = TOKEN_1
    request: Body | None = None
    answer: Body | None = None  #: of the 200; None for an empty body
    query: tuple[Parameter, ...] = ()
    errors: tuple[type[CallerError], ...] = ()  #: beside those of keys and of a store out of reach
    takes_idempotency_key: bool = False


def json(shape: object, description: str = "") -> Body:
    """Describe a JSON body."""
    return Body(("application/json",), shape, description)
