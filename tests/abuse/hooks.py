"""
What schemathesis has to know beyond the document: the rules that no JSON schema can say.

A request that fits the schema may be refused with 400 only for one of these; anything else that is
refused is a hole in the document.
"""

import re
from typing import Any

import schemathesis

BEYOND_A_SCHEMA = re.compile(
    "|".join(
        (
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
    )
)


@schemathesis.check
def valid_data_is_taken(_context: Any, response: Any, case: Any) -> None:
    """Fail when a request that fits the document is refused for a reason that it could have told."""
    if case.meta is None or not case.meta.generation.mode.is_positive or response.status_code != 400:
        return
    msg = response.json()["error"]["msg"]
    if not BEYOND_A_SCHEMA.search(msg):
        raise AssertionError(f"fits the document, and is refused: {msg}")
