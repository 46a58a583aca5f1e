"""
From the options of `penstock dispatch create` to the fields of the wire.

Only what the shell form adds is checked here; what a field may be is the server's to say.
"""

import re
from collections.abc import Sequence
from typing import Any

from penstock.cli.language import t

_RATE = re.compile(r"(\d+)/([dhm])")
_RANGE = re.compile(r"(\d+)(?:-(\d+))?")


class BadOption(Exception):
    """An option is not in the form that its help describes."""


def make_draft(
    *,
    name: str,
    sender: str,
    text: str,
    send_time: str | None,
    completion_time: str | None,
    hours: str | None,
    days: str | None,
    local_time: bool,
    rate: str | None,
    ttl: int | None,
    tags: Sequence[str] | None,
) -> dict[str, Any]:
    """Return the body of a request that creates a dispatch; what was not given is not in it."""
    fields = {
        "dispatchName": name,
        "senderName": sender,
        "content": text,
        "useLocalTime": local_time,
        "localSendTime": send_time,
        "localCompletionTime": completion_time,
        "hours": None if hours is None else parse_numbers("--hours", hours),
        "days": None if days is None else parse_numbers("--days", days),
        "rate": None if rate is None else parse_rate(rate),
        "ttl": ttl,
        "tags": list(tags) if tags else None,
    }
    return {field: value for field, value in fields.items() if value is not None}


def parse_rate(text: str) -> dict[str, Any]:
    """Return the rate object of ``100/m``."""
    found = _RATE.fullmatch(text)
    if found is None:
        raise BadOption(t("--rate: expected a number and d, h or m, such as 100/m, got {text}", text=text))
    return {"unit": found[2], "value": int(found[1])}


def parse_numbers(option: str, text: str) -> list[int]:
    """Return the numbers of ``9-12,18``."""
    numbers: list[int] = []
    for item in text.split(","):
        found = _RANGE.fullmatch(item.strip())
        first, last = (int(found[1]), int(found[2] or found[1])) if found else (1, 0)
        if first > last or last > 99:  # noqa: PLR2004 - no clock and no week is longer; the server knows the rest
            raise BadOption(t("{option}: expected numbers such as 9-12,18, got {text}", option=option, text=text))
        numbers.extend(range(first, last + 1))
    return numbers
