"""
How a text becomes the parts of a short message.

A message carries 140 octets: 160 septets (GSM 03.38) or 70 UTF-16 code units (UCS-2).  Parts of a
longer text give 6 octets to the concatenation header (3GPP TS 23.040, 9.2.3.24.1): 153 or 67.
"""

import enum
from typing import NamedTuple

from penstock.domain import gsm

#: More parts than this are not taken.
MAX_PARTS = 10

_GSM_ONE, _GSM_EACH = 160, 153
_UCS2_ONE, _UCS2_EACH = 70, 67


class Encoding(enum.StrEnum):
    """How a text is written."""

    GSM = "gsm"  #: the 7-bit default alphabet
    UCS2 = "ucs2"  #: UTF-16, big-endian


class Part(NamedTuple):
    """One segment of a text."""

    text: str
    units: int  #: septets or UTF-16 code units that it takes
    limit: int  #: how many it may take
    encoding: Encoding


def count_parts(text: str) -> int:
    """Return into how many parts a text goes; an empty text is one part."""
    units = gsm.septets(text)
    if units is not None:
        if units <= _GSM_ONE:
            return 1
        if units == len(text):
            return -(-units // _GSM_EACH)
    else:
        units = len(text.encode("utf-16-be", "surrogatepass")) // 2
        if units <= _UCS2_ONE:
            return 1
        if units == len(text):
            return -(-units // _UCS2_EACH)
    return len(split(text))


def split(text: str) -> list[Part]:
    """Cut a text into parts; an escape or surrogate pair is never cut."""
    units = gsm.septets(text)
    encoding = Encoding.UCS2 if units is None else Encoding.GSM
    if units is None:
        widths = [2 if ord(char) > 0xFFFF else 1 for char in text]  # noqa: PLR2004 - beyond the basic plane
        one, each = _UCS2_ONE, _UCS2_EACH
    else:
        widths = [1 if gsm.is_plain(char) or char not in gsm.EXTENDED else 2 for char in text]
        one, each = _GSM_ONE, _GSM_EACH
    total = sum(widths)
    if total <= one:
        return [Part(text, total, one, encoding)]
    parts, start, used = [], 0, 0
    for position, width in enumerate(widths):
        if used + width > each:
            parts.append(Part(text[start:position], used, each, encoding))
            start, used = position, 0
        used += width
    parts.append(Part(text[start:], used, each, encoding))
    return parts
