"""
The messageUuid: a UUIDv8 (RFC 9562, 5.8) that says which message it names.

60 bits of dispatch id, 32 bits of seq, and between them 30 bits of check, so that a mistyped uuid
names nothing.  No index and no table is needed to find the message.
"""

import re
from collections.abc import Callable

_UUID = re.compile(r"([0-9a-f]{8})-([0-9a-f]{4})-8([0-9a-f]{3})-([89ab][0-9a-f]{3})-([0-9a-f]{12})", re.IGNORECASE)
_DISPATCH_BITS = 60
_MIX = 0x9E3779B97F4A7C15
_MASK64 = (1 << 64) - 1
_CHECK_MASK = (1 << 30) - 1


def _check(dispatch_id: int, seq: int) -> int:
    """Mix both numbers into 30 bits; any single wrong digit changes them (but for one in 2^30)."""
    mixed = ((dispatch_id * _MIX) ^ ((seq + 1) * 0xD6E8FEB86659FD93)) & _MASK64
    mixed = ((mixed ^ (mixed >> 32)) * _MIX) & _MASK64
    return (mixed >> 34) & _CHECK_MASK


def message_uuid(dispatch_id: int, seq: int) -> str:
    """Return the messageUuid of a message."""
    return uuid_maker(dispatch_id)(seq)


def uuid_maker(dispatch_id: int) -> Callable[[int], str]:
    """Return a function from seq to messageUuid for one dispatch."""
    if not 0 <= dispatch_id < 1 << _DISPATCH_BITS:
        message = f"dispatch id out of range: {dispatch_id}"
        raise ValueError(message)
    digits = f"{dispatch_id:015x}"
    head = f"{digits[:8]}-{digits[8:12]}-8{digits[12:]}-"
    base = dispatch_id * _MIX

    def name(seq: int) -> str:
        mixed = (base ^ ((seq + 1) * 0xD6E8FEB86659FD93)) & _MASK64
        mixed = ((mixed ^ (mixed >> 32)) * _MIX) & _MASK64
        check = (mixed >> 34) & _CHECK_MASK
        return f"{head}{0x8000 | check >> 16:04x}-{check & 0xFFFF:04x}{seq:08x}"

    return name


def parse_message_uuid(text: str) -> tuple[int, int] | None:
    """Return (dispatch id, seq), or None for what is not a messageUuid."""
    found = _UUID.fullmatch(text)
    if found is None:
        return None
    dispatch_id = int(found[1] + found[2] + found[3], 16)
    tail = int(found[4] + found[5], 16) & ((1 << 62) - 1)
    seq, check = tail & 0xFFFFFFFF, tail >> 32
    if check != _check(dispatch_id, seq) or seq > 0x7FFFFFFF:  # noqa: PLR2004 - seq is a PostgreSQL integer
        return None
    return dispatch_id, seq
