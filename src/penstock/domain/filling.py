"""
From what a client puts into a dispatch to what is stored of it.
"""

from collections.abc import Sequence
from typing import NamedTuple

from penstock.domain import gsm
from penstock.domain.errors import ItemCode
from penstock.domain.model import Entry
from penstock.domain.msisdn import parse_msisdn
from penstock.domain.parts import MAX_PARTS, count_parts
from penstock.domain.template import Template
from penstock.domain.zones import zone_of

#: A text of plain characters up to this length is one part.
_ONE_PLAIN_PART = 160


class Prepared(NamedTuple):
    """A message that can be stored."""

    position: int  #: of the entry that it comes from
    destination: int
    values: list[str] | None  #: of the template's placeholders; None where it has none
    parts: int
    zone: str  #: empty where zones do not matter


def prepare(
    template: Template, entries: Sequence[Entry], *, zoned: bool, fallback_zone: str
) -> tuple[list[Prepared], dict[int, ItemCode]]:
    """
    Return the messages that *entries* make, grouped by zone, and by index why others are none.

    What is in the texts decides about their parts, so each text is made here once; short ones of
    plain characters are only measured.
    """
    prepared: list[Prepared] = []
    errors: dict[int, ItemCode] = {}
    is_simple = len(template.names) == sum(template.repeats) and gsm.is_plain(template.literal)
    room = _ONE_PLAIN_PART - template.literal_length
    fixed_parts = 0 if template.names else _parts_of(template.render(()))
    for index, entry in enumerate(entries):
        destination = parse_msisdn(entry.destination)
        if destination is None:
            errors[index] = ItemCode.DESTINATION_INVALID
            continue
        values = None
        parts = fixed_parts
        if template.names:
            values = template.values(entry.substitutions)
            if values is None:
                errors[index] = ItemCode.SUBSTITUTION_MISSING
                continue
            joined = "".join(values)
            if is_simple and len(joined) <= room and joined.isascii() and gsm.is_plain(joined):
                parts = 1 if joined or template.literal_length else 0
            else:
                parts = _parts_of(template.render(values))
        if not parts:
            errors[index] = ItemCode.TEXT_LENGTH
            continue
        zone = zone_of(destination, fallback_zone) if zoned else ""
        prepared.append(Prepared(index, destination, values, parts, zone))
    if zoned:
        prepared.sort(key=lambda message: message.zone)
    return prepared, errors


def _parts_of(text: str) -> int:
    """Return the parts of a text that may be sent; 0 where it may not: empty or too long."""
    if not text:
        return 0
    parts = count_parts(text)
    return parts if parts <= MAX_PARTS else 0
