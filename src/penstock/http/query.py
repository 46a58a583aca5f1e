"""
The query of a request: one value or several of a name, each checked, each complaint naming the parameter.
"""

import datetime as dt
import re
from collections.abc import Collection
from urllib.parse import parse_qsl

from starlette.requests import Request

from penstock.domain.errors import BadRequest
from penstock.domain.lifecycle import DispatchStatus
from penstock.domain.model import DispatchFilter

MAX_REACH = 10_000  #: page * per_page
_MAX_ID = 2**63 - 1
_INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_NUMBER = re.compile(r"[0-9]{1,19}")


class Query:
    """The parameters of one request; unknown ones are ignored."""

    def __init__(self, raw: bytes) -> None:
        """Take the query string apart."""
        self._values: dict[str, list[str]] = {}
        try:
            pairs = parse_qsl(raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=20_000)
        except ValueError as error:
            message = "query: expected at most 20000 parameters of percent-encoded UTF-8"
            raise BadRequest(message) from error
        for name, value in pairs:
            if "\0" in value:
                raise BadRequest(f"{name}: the character U+0000 is not allowed")
            self._values.setdefault(name, []).append(value)

    def text(self, name: str) -> str | None:
        """Return the only value of *name*; None when it is absent."""
        values = self._values.get(name, [])
        if len(values) > 1:
            raise _misfit(name, "one value", str(len(values)))
        return values[0] if values else None

    def words(self, name: str, allowed: Collection[str]) -> tuple[str, ...]:
        """Return every value of *name*, each of which must be among *allowed*."""
        values = self._values.get(name, [])
        for value in values:
            if value not in allowed:
                raise _misfit(name, f"one of {', '.join(allowed)}", repr(value[:40]))
        return tuple(values)

    def word(self, name: str, allowed: Collection[str], default: str) -> str:
        """Return the only value of *name*, which must be among *allowed*."""
        self.text(name)
        values = self.words(name, allowed)
        return values[0] if values else default

    def ids(self, name: str) -> tuple[int, ...]:
        """Return every value of *name* as an id."""
        return tuple(_number(name, value, _MAX_ID) for value in self._values.get(name, []))

    def count(self, name: str, default: int) -> int:
        """Return the only value of *name* as a number from 1 to the reach of lists."""
        value = self.text(name)
        return default if value is None else _number(name, value, MAX_REACH)

    def instant(self, name: str) -> dt.datetime | None:
        """Return the only value of *name* as an instant in UTC."""
        value = self.text(name)
        if value is None:
            return None
        try:
            if _INSTANT.fullmatch(value):
                return dt.datetime.fromisoformat(value)
        except ValueError:
            pass  # said below, like any other misfit
        raise _misfit(name, "an instant YYYY-MM-DDThh:mm:ssZ", repr(value[:40]))


def of(request: Request) -> Query:
    """Return the query of a request."""
    return Query(request.scope["query_string"])


def dispatch_filter(query: Query) -> DispatchFilter:
    """Understand which dispatches a list asks for."""
    page, per_page = query.count("page", 1), query.count("per_page", 100)
    if page * per_page > MAX_REACH:
        raise _misfit("page", f"page * per_page of at most {MAX_REACH}", str(page * per_page))
    return DispatchFilter(
        created_from=query.instant("created_from"),
        created_to=query.instant("created_to"),
        statuses=query.words("status", [status.value for status in DispatchStatus]),
        dispatch_ids=query.ids("dispatch_id"),
        name=query.text("dispatch_name"),
        traffic_center_ids=query.ids("traffic_center_id"),
        page=page,
        per_page=per_page,
    )


def _number(name: str, value: str, most: int) -> int:
    if _NUMBER.fullmatch(value) is None or not 1 <= int(value) <= most:
        raise _misfit(name, f"an integer 1…{most}", repr(value[:40]))
    return int(value)


def _misfit(name: str, expected: str, got: str) -> BadRequest:
    return BadRequest(f"{name}: expected {expected}, got {got}")
