"""
The values that the parts of Penstock hand to one another.

Nothing here does anything: rules live in the modules beside this one.  Instants are aware UTC,
local times are naive, durations are seconds.
"""

import datetime as dt
import enum
import hashlib
from collections.abc import Mapping
from typing import NamedTuple

import msgspec


class Priority(enum.IntEnum):
    """Which message goes first when there is not room for all; the smaller number wins."""

    AUTHORIZE = 0  #: one-time codes
    TRANSACT = 1  #: single messages
    SERVICE = 2  #: notices
    PROMO = 3  #: adverts


class RateUnit(enum.StrEnum):
    """The period of a rate limit, by its wire letter."""

    DAY = "d"
    HOUR = "h"
    MINUTE = "m"


class Rate(msgspec.Struct, frozen=True):
    """At most *value* messages in any period of one *unit*."""

    unit: RateUnit
    value: int


class Schedule(msgspec.Struct, frozen=True):
    """
    When messages may leave.

    Local times are read in the subscriber's zone when *use_local_time* is true, else in the
    account's default zone.
    """

    use_local_time: bool = True
    send_time: dt.datetime | None = None  #: naive; absent: at once
    completion_time: dt.datetime | None = None  #: naive; what is not sent by then is unsent
    hours: tuple[int, ...] = ()  #: allowed hours 0…23; empty allows all
    days: tuple[int, ...] = ()  #: allowed weekdays, Monday 1…Sunday 7; empty allows all


class Caller(msgspec.Struct, frozen=True):
    """Who asks: the account behind an API key."""

    account_id: int
    key_id: int
    kind: int  #: 1…4, as in TOKEN_1…TOKEN_4
    traffic_center_id: int | None


class Idempotency(msgspec.Struct, frozen=True):
    """A request that must be carried out once: its key and a digest of all that it asks."""

    key: str
    digest: bytes


class StreamedIdempotency:
    """An Idempotency-Key whose request is known in full only when the last of its content has come."""

    def __init__(self, key: str, head: bytes) -> None:
        self.key = key
        self._digest = hashlib.sha256(head)

    def update(self, content: bytes) -> None:
        """Take in the next piece of the content."""
        self._digest.update(content)

    def finish(self) -> Idempotency:
        """Return the key with the digest of all that came."""
        return Idempotency(self.key, self._digest.digest())


class DispatchDraft(msgspec.Struct, frozen=True, kw_only=True):
    """A dispatch as a client asks for it, already checked."""

    name: str
    channel_type: str
    sender_name: str
    content: str  #: template with ``{placeholders}``
    schedule: Schedule
    ttl: int | None = None  #: seconds a message lives once handed over
    rate: Rate | None = None
    tags: tuple[str, ...] = ()
    short_url: bool = False
    callback_url: str | None = None
    callback_events: tuple[str, ...] = ()


class Entry(msgspec.Struct, frozen=True):
    """One element of a fill: a destination as written by the client, and its values."""

    destination: str
    substitutions: Mapping[str, str | int | float | bool | None] = {}


class SingleMessage(msgspec.Struct, frozen=True, kw_only=True):
    """One element of a request to ``/message``, already checked but for its destination and text."""

    channel_type: str
    sender_name: str
    destination: str
    content: str
    schedule: Schedule
    ttl: int | None = None
    tags: tuple[str, ...] = ()
    short_url: bool = False
    callback_url: str | None = None
    callback_events: tuple[str, ...] = ()
    external_id: str | None = None


class Counts(msgspec.Struct, frozen=True):
    """How many stand where; the five counters always add up to *total*."""

    total: int
    delivered: int
    undelivered: int
    unsent: int
    sent: int
    sending: int


class DispatchView(msgspec.Struct, frozen=True, kw_only=True):
    """A dispatch as its owner sees it."""

    dispatch_id: int
    name: str
    created_at: dt.datetime
    started_at: dt.datetime | None
    status: str  #: a DispatchStatus value
    channel_type: str
    sender_name: str
    content: str
    schedule: Schedule
    rate: Rate | None
    tags: tuple[str, ...]
    traffic_center_id: int
    traffic_center_name: str
    base: str | None  #: name of the file that it was filled from, if any
    messages: Counts
    parts: Counts


class DispatchProgress(msgspec.Struct, frozen=True, kw_only=True):
    """One dispatch with what only a look at this moment can tell."""

    dispatch: DispatchView
    rate_now: float  #: messages handed over a second, over the last seconds
    finish_estimate_at: dt.datetime | None
    channels: tuple["ChannelHealth", ...]


class ChannelHealth(msgspec.Struct, frozen=True):
    """How one carrier stands, over all senders."""

    name: str
    connected: int  #: bound connections
    configured: int  #: connections that should be bound


class DispatchFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which dispatches a list asks for; an empty tuple restricts nothing."""

    created_from: dt.datetime | None = None
    created_to: dt.datetime | None = None
    statuses: tuple[str, ...] = ()
    dispatch_ids: tuple[int, ...] = ()
    name: str | None = None
    traffic_center_ids: tuple[int, ...] = ()
    page: int = 1
    per_page: int = 100


class Partition(msgspec.Struct, frozen=True):
    """What became of the messages of a stopped dispatch, at the moment of the stop."""

    accepted: int  #: taken by the carrier
    refused: int  #: refused by the carrier
    in_doubt: int  #: handed over, answer lost
    never_sent: int


class CarrierPartition(msgspec.Struct, frozen=True):
    """The share of one carrier in a stop receipt; *carrier* is None where it is not known."""

    carrier: str | None
    accepted: int
    refused: int
    in_doubt: int


class StopReceipt(msgspec.Struct, frozen=True, kw_only=True):
    """The account of a stop; once written it does not change."""

    dispatch_id: int
    requested_at: dt.datetime
    effective_at: dt.datetime
    key_id: int
    took_ms: float
    total: int
    counts: Partition
    carriers: tuple[CarrierPartition, ...]
    in_doubt: tuple[str, ...]  #: messageUuids
    late: int  #: messages that senders saw written after *effective_at*; must be 0


class MessageView(msgspec.Struct, frozen=True, kw_only=True):
    """One message as its owner sees it."""

    message_uuid: str
    dispatch_id: int | None  #: None for a single message
    external_id: str | None
    created_at: dt.datetime
    channel_type: str
    traffic_type: str
    traffic_center_id: int
    sender_name: str
    destination: str
    content: str
    schedule: Schedule
    ttl: int | None
    tags: tuple[str, ...]
    callback_url: str | None
    callback_events: tuple[str, ...]
    total_parts: int
    status: str  #: a MessageStatus value
    error_code: int | None
    sent_at: dt.datetime | None
    status_at: dt.datetime | None


class MessageLine(NamedTuple):
    """One line of an export."""

    message_uuid: str
    destination: str
    status: str
    error_code: int | None
    parts: int
    sent_at: dt.datetime | None
    status_at: dt.datetime | None


class RowError(msgspec.Struct, frozen=True):
    """A row of a file that was not taken; rows count from 1, the header not included."""

    row: int
    destination: str
    code: int


class FileFill(msgspec.Struct, frozen=True):
    """What a file brought into a dispatch."""

    total: int
    accepted: int
    errors: tuple[RowError, ...]
