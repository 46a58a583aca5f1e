"""
The objects that clients are sent, as types: the reference is generated from them.

A field that is not known is absent, never null: it is `UNSET`, which msgspec leaves out.
"""

from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType


class Answer(msgspec.Struct, rename="camel", frozen=True):
    """Any object of the wire: its fields are written in camelCase."""


class ErrorBody(msgspec.Struct, frozen=True):
    """What went wrong."""

    code: int
    msg: str


class ErrorAnswer(msgspec.Struct, frozen=True):
    """The body of every answer that is not 2xx."""

    error: ErrorBody


class DispatchId(Answer, frozen=True, kw_only=True):
    """The dispatch that was created or changed."""

    dispatch_id: int


class FilledItem(Answer, frozen=True, kw_only=True):
    """An element of a fill: the messageUuid it got, or the errorCode (74xx) that kept it out."""

    destination: str
    message_uuid: str | UnsetType = UNSET
    error_code: int | UnsetType = UNSET


class RefusedRow(Answer, frozen=True, kw_only=True):
    """A row of a file that was kept out, its destination cut to 64 characters; rows count without the header."""

    row: int
    destination: str
    error_code: int


class FileAnswer(Answer, frozen=True, kw_only=True):
    """What a file brought into a dispatch; of more than 100000 errors the first are listed."""

    total: int
    accepted: int
    errors: list[RefusedRow]


class FileName(Answer, frozen=True, kw_only=True):
    """A file that a dispatch was filled from."""

    type: Literal["FILE"]
    name: str


class Base(Answer, frozen=True, kw_only=True):
    """What a dispatch was filled from."""

    included: FileName


class Numbers(Answer, frozen=True, kw_only=True):
    """How many stand where; the five counters always add up to the total."""

    total: int
    delivered: int
    undelivered: int
    unsent: int
    sent: int
    sending: int


class RateAnswer(Answer, frozen=True, kw_only=True):
    """At most *value* messages a day, hour or minute."""

    unit: Literal["d", "h", "m"]
    value: int


class DispatchAnswer(Answer, frozen=True, kw_only=True):
    """A dispatch as the list shows it."""

    dispatch_id: int
    dispatch_name: str
    created: str
    local_send_time: str
    local_completion_time: str | UnsetType = UNSET
    use_local_time: bool
    status: str
    source: str
    message: str
    traffic_center_id: int
    traffic_center_name: str
    base: Base | UnsetType = UNSET
    parts: Numbers
    messages: Numbers


class DispatchPage(Answer, frozen=True, kw_only=True):
    """One page of a list, and how many there are in all."""

    total: int
    items: list[DispatchAnswer]


class ChannelAnswer(Answer, frozen=True, kw_only=True):
    """How many connections of a carrier are bound, and should be."""

    name: str
    connected: int
    configured: int


class ProgressAnswer(DispatchAnswer, frozen=True, kw_only=True):
    """A dispatch with what only a look at this moment can tell."""

    rate: RateAnswer | UnsetType = UNSET
    rate_now: float
    finish_estimate: str | UnsetType = UNSET
    channels: list[ChannelAnswer]


class PartitionAnswer(Answer, frozen=True, kw_only=True):
    """What became of the messages at the moment of the stop."""

    accepted: int
    refused: int
    in_doubt: int
    never_sent: int


class CarrierAnswer(Answer, frozen=True, kw_only=True):
    """The share of one carrier; absent name: not known."""

    carrier: str | UnsetType = UNSET
    accepted: int
    refused: int
    in_doubt: int


class ReceiptAnswer(Answer, frozen=True, kw_only=True):
    """The account of a stop."""

    dispatch_id: int
    requested: str
    effective: str
    key_id: int
    took_ms: float
    total: int
    counts: PartitionAnswer
    carriers: list[CarrierAnswer]
    in_doubt: list[str]
    late: int


class SentItem(Answer, frozen=True, kw_only=True):
    """A single message: its messageUuid with code 201, or code 400 and the errorCode (74xx) that kept it out."""

    message_uuid: str | UnsetType = UNSET
    external_message_id: str | UnsetType = UNSET
    code: Literal[201, 400]
    error_code: int | UnsetType = UNSET


class SendAnswer(Answer, frozen=True, kw_only=True):
    """What became of each message of a request, in its order."""

    errors: bool
    items: list[SentItem]


class StoppedItem(Answer, frozen=True, kw_only=True):
    """Whether one message will certainly not leave."""

    message_uuid: str
    code: int


class StopAnswer(Answer, frozen=True, kw_only=True):
    """What became of each message that was to be stopped; *errors* when any item is 403 or 404."""

    errors: bool
    items: list[StoppedItem]


class MessageAnswer(Answer, frozen=True, kw_only=True):
    """One message; what is not known is absent."""

    created_time: str
    channel_type: str
    sending_method: Literal["API"] = "API"
    sending_methog: Literal["API"] = "API"
    traffic_type: str
    dispatch_id: int | UnsetType = UNSET
    message_uuid: str
    external_message_id: str | UnsetType = UNSET
    traffic_center_id: int
    sender_name: str
    destination: str
    content: str
    tags: tuple[str, ...]
    ttl: int | UnsetType = UNSET
    hours: tuple[int, ...]
    days: tuple[int, ...]
    local_send_time: str
    local_completion_time: str | UnsetType = UNSET
    use_local_time: bool
    callback_events: tuple[str, ...] | UnsetType = UNSET
    callback_url: str | UnsetType = UNSET
    total_parts: int
    sent_time: str | UnsetType = UNSET
    status_time: str | UnsetType = UNSET
    status: str
    error_code: int | UnsetType = UNSET


class LineAnswer(Answer, frozen=True, kw_only=True):
    """One message of an export; what is not known is absent."""

    message_uuid: str
    destination: str
    status: str
    error_code: int | UnsetType = UNSET
    parts: int
    sent_time: str | UnsetType = UNSET
    status_time: str | UnsetType = UNSET
