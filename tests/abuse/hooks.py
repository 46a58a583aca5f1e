"""
What schemathesis has to know beyond the document: the rules that no JSON schema can say.

A request that fits the schema may be refused with 400 only for one of these; anything else that is
refused is a hole in the document.
"""

import itertools
import re
from typing import Any

import schemathesis

BEYOND_A_SCHEMA = [
    re.compile(rule)
    for rule in (
        r"the character U\+0000 is not allowed",  # PostgreSQL cannot store it
        r"local(Send|Completion)Time: expected a (local )?time",  # depends on now, and on the calendar
        r"localCompletionTime: expected",
        r"created_(from|to): expected an instant",  # schemathesis writes fractions and other zones too
        r"page: expected page \* per_page of at most",  # of two parameters
        r"content: ",  # a template is a language of its own
        r"tags\[\d+\]: expected letters",  # \w of JSON schema is not that of Unicode
        r"callbackUrl: expected an http or https URL",
        r"expected an integer, got a number",  # 200.0 is an integer to JSON schema
        r"^(header|row \d+): ",  # of a file
    )
]


_NUMBERS = itertools.count()


@schemathesis.hook
def before_call(_context: Any, case: Any, _options: Any) -> None:
    """Ask from another address each time, as if behind a proxy: one address may send few wrong keys."""
    number = next(_NUMBERS)
    case.headers["X-Forwarded-For"] = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


@schemathesis.check
def valid_data_is_taken(_context: Any, response: Any, case: Any) -> None:
    """Fail when a request that fits the document is refused for a reason that it could have told."""
    if case.meta is None or not case.meta.generation.mode.is_positive or response.status_code != 400:
        return
    msg = response.json()["error"]["msg"]
    if not any(rule.search(msg) for rule in BEYOND_A_SCHEMA):
        raise AssertionError(f"fits the document, and is refused: {msg}")
