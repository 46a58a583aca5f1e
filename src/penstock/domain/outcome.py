"""
What came of handing one message to a carrier, and what the carrier says of it later.

Outcomes are values; every `match` over them is exhaustive.
"""

import datetime as dt
import enum
from typing import NamedTuple


class Outgoing(NamedTuple):
    """One message on its way out; *(dispatch_id, seq)* names it everywhere."""

    dispatch_id: int
    seq: int
    sender_name: str
    destination: int
    text: str
    ttl: int | None  #: seconds that the carrier may try; None leaves it to the carrier
    parts: int = 1  #: segments, as counted when the message was filled
    ticket: object = None  #: the engine's own; channels hand it back untouched


class Accepted(NamedTuple):
    """The carrier took the message."""

    carrier_message_id: str  #: normalised as receipts will name it; for a long text that of its last part


class Throttled(NamedTuple):
    """The carrier asked to slow down; nothing of the message was taken, it may be submitted again."""


class Rejected(NamedTuple):
    """The carrier refused the message for good."""

    code: int  #: the carrier's own code (SMPP: command_status)


class Lost(NamedTuple):
    """The message was written and no answer came: in doubt, never submitted again by itself."""


Outcome = Accepted | Throttled | Rejected | Lost


class ReceiptStatus(enum.IntEnum):
    """The final word of a carrier on one message."""

    DELIVERED = 1
    UNDELIVERED = 2


class Receipt(NamedTuple):
    """A delivery receipt from a carrier."""

    carrier_message_id: str
    status: ReceiptStatus
    code: int | None  #: the carrier's own error code, if it gave a number
    done_at: dt.datetime | None  #: when the carrier says it happened; None if it does not say
