"""
Wire words from internal values: every object that a client is sent is made here.

A field that is not known is absent, never null: it is `UNSET`, which msgspec leaves out.
"""

import datetime as dt
import zoneinfo
from collections.abc import Sequence
from typing import Any, Literal, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from penstock.domain.model import (
    Counts,
    DispatchProgress,
    DispatchView,
    Entry,
    FileFill,
    MessageLine,
    MessageView,
    Schedule,
    SingleMessage,
    StopReceipt,
)

T = TypeVar("T")

_LOCAL = "%Y-%m-%d %H:%M:%S"


class Answer(msgspec.Struct, rename="camel", frozen=True, kw_only=True):
    """Any object of the wire: its fields are written in camelCase."""


class ErrorBody(msgspec.Struct, frozen=True):
    """What went wrong."""

    code: int
    msg: str


class ErrorAnswer(msgspec.Struct, frozen=True):
    """The body of every answer that is not 2xx."""

    error: ErrorBody


class DispatchId(Answer):
    """The dispatch that was created or changed."""

    dispatch_id: int


class Taken(Answer):
    """An element of a fill that is in the dispatch now."""

    destination: str
    message_uuid: str


class Refused(Answer):
    """An element of a fill that was kept out, and why (74xx)."""

    destination: str
    error_code: int


class RefusedRow(Answer):
    """A row of a file that was kept out; rows count from 1, without the header and blank lines."""

    row: int
    destination: str
    error_code: int


class FileAnswer(Answer):
    """What a file brought into a dispatch."""

    total: int
    accepted: int
    errors: list[RefusedRow]


class FileName(Answer):
    """A file that a dispatch was filled from."""

    type: Literal["FILE"]
    name: str


class Base(Answer):
    """What a dispatch was filled from."""

    included: FileName


class Numbers(Answer):
    """How many stand where; the five counters always add up to the total."""

    total: int
    delivered: int
    undelivered: int
    unsent: int
    sent: int
    sending: int


class RateAnswer(Answer):
    """At most *value* messages a day, hour or minute."""

    unit: Literal["d", "h", "m"]
    value: int


class DispatchAnswer(Answer):
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


class DispatchPage(Answer):
    """One page of a list, and how many there are in all."""

    total: int
    items: list[DispatchAnswer]


class ChannelAnswer(Answer):
    """How many connections of a carrier are bound, and should be."""

    name: str
    connected: int
    configured: int


class ProgressAnswer(DispatchAnswer):
    """A dispatch with what only a look at this moment can tell."""

    rate: RateAnswer | UnsetType = UNSET
    rate_now: float
    finish_estimate: str | UnsetType = UNSET
    channels: list[ChannelAnswer]


class PartitionAnswer(Answer):
    """What became of the messages at the moment of the stop."""

    accepted: int
    refused: int
    in_doubt: int
    never_sent: int


class CarrierAnswer(Answer):
    """The share of one carrier; absent name: not known."""

    carrier: str | UnsetType
    accepted: int
    refused: int
    in_doubt: int


class ReceiptAnswer(Answer):
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


class SentItem(Answer):
    """A single message that was taken."""

    message_uuid: str
    external_message_id: str | UnsetType
    code: Literal[201] = 201


class FailedItem(Answer):
    """A single message that was not taken, and why (74xx)."""

    external_message_id: str | UnsetType
    code: Literal[400] = 400
    error_code: int


class SendAnswer(Answer):
    """What became of each message of a request, in its order."""

    errors: bool
    items: list[SentItem | FailedItem]


class StoppedItem(Answer):
    """Whether one message will certainly not leave."""

    message_uuid: str
    code: int


class StopAnswer(Answer):
    """What became of each message that was to be stopped; *errors* when any item is 403 or 404."""

    errors: bool
    items: list[StoppedItem]


class MessageAnswer(Answer):
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


class LineAnswer(Answer):
    """One message of an export."""

    message_uuid: str
    destination: str
    status: str
    error_code: int | UnsetType
    parts: int
    sent_time: str | UnsetType
    status_time: str | UnsetType


#: The columns of an export as CSV; the same words as in JSON.
LINE_COLUMNS = ("messageUuid", "destination", "status", "errorCode", "parts", "sentTime", "statusTime")


def instant(value: dt.datetime) -> str:
    """Write an instant as the wire does: UTC, whole seconds."""
    return value.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def filled(entries: Sequence[Entry], outcomes: Sequence[str | int]) -> list[Taken | Refused]:
    """Pair each element of a fill with what became of it."""
    return [
        Taken(destination=entry.destination, message_uuid=outcome)
        if isinstance(outcome, str)
        else Refused(destination=entry.destination, error_code=outcome)
        for entry, outcome in zip(entries, outcomes, strict=True)
    ]


def file_filled(fill: FileFill) -> FileAnswer:
    """Say what a file brought."""
    return FileAnswer(
        total=fill.total,
        accepted=fill.accepted,
        errors=[RefusedRow(row=row.row, destination=row.destination, error_code=row.code) for row in fill.errors],
    )


def dispatch(view: DispatchView, zone: str) -> DispatchAnswer:
    """Show a dispatch in a list; *zone* is that of a send time that was not given."""
    return DispatchAnswer(**_dispatch_fields(view, zone))


def progress(now: DispatchProgress, zone: str) -> ProgressAnswer:
    """Show one dispatch with its pace."""
    rate = now.dispatch.rate
    return ProgressAnswer(
        **_dispatch_fields(now.dispatch, zone),
        rate=UNSET if rate is None else RateAnswer(unit=rate.unit.value, value=rate.value),
        rate_now=now.rate_now,
        finish_estimate=_instant_or_unset(now.finish_estimate_at),
        channels=[
            ChannelAnswer(name=channel.name, connected=channel.connected, configured=channel.configured)
            for channel in now.channels
        ],
    )


def receipt(account: StopReceipt) -> ReceiptAnswer:
    """Show the account of a stop."""
    return ReceiptAnswer(
        dispatch_id=account.dispatch_id,
        requested=instant(account.requested_at),
        effective=instant(account.effective_at),
        key_id=account.key_id,
        took_ms=account.took_ms,
        total=account.total,
        counts=PartitionAnswer(**msgspec.structs.asdict(account.counts)),
        carriers=[
            CarrierAnswer(
                carrier=_or_unset(share.carrier),
                accepted=share.accepted,
                refused=share.refused,
                in_doubt=share.in_doubt,
            )
            for share in account.carriers
        ],
        in_doubt=list(account.in_doubt),
        late=account.late,
    )


def sent(messages: Sequence[SingleMessage], outcomes: Sequence[str | int]) -> SendAnswer:
    """Pair each single message with what became of it."""
    items: list[SentItem | FailedItem] = []
    for message, outcome in zip(messages, outcomes, strict=True):
        external_id = _or_unset(message.external_id)
        if isinstance(outcome, str):
            items.append(SentItem(message_uuid=outcome, external_message_id=external_id))
        else:
            items.append(FailedItem(external_message_id=external_id, error_code=outcome))
    return SendAnswer(errors=any(isinstance(item, FailedItem) for item in items), items=items)


def stopped(message_uuids: Sequence[str], codes: Sequence[int]) -> StopAnswer:
    """Pair each message that was to be stopped with what became of that."""
    items = [
        StoppedItem(message_uuid=message_uuid, code=code)
        for message_uuid, code in zip(message_uuids, codes, strict=True)
    ]
    return StopAnswer(errors=any(item.code in (403, 404) for item in items), items=items)


def message(view: MessageView, zone: str) -> MessageAnswer:
    """Show one message; *zone* is that of a send time that was not given."""
    return MessageAnswer(
        created_time=instant(view.created_at),
        channel_type=view.channel_type,
        traffic_type=view.traffic_type,
        dispatch_id=_or_unset(view.dispatch_id),
        message_uuid=view.message_uuid,
        external_message_id=_or_unset(view.external_id),
        traffic_center_id=view.traffic_center_id,
        sender_name=view.sender_name,
        destination=view.destination,
        content=view.content,
        tags=view.tags,
        ttl=_or_unset(view.ttl),
        hours=view.schedule.hours,
        days=view.schedule.days,
        local_send_time=_local_send_time(view.schedule, view.created_at, zone),
        local_completion_time=_local_completion_time(view.schedule),
        use_local_time=view.schedule.use_local_time,
        callback_events=view.callback_events or UNSET,
        callback_url=_or_unset(view.callback_url),
        total_parts=view.total_parts,
        sent_time=_instant_or_unset(view.sent_at),
        status_time=_instant_or_unset(view.status_at),
        status=view.status,
        error_code=_or_unset(view.error_code),
    )


def line(exported: MessageLine) -> LineAnswer:
    """Show one message of an export."""
    return LineAnswer(
        message_uuid=exported.message_uuid,
        destination=exported.destination,
        status=exported.status,
        error_code=_or_unset(exported.error_code),
        parts=exported.parts,
        sent_time=_instant_or_unset(exported.sent_at),
        status_time=_instant_or_unset(exported.status_at),
    )


def line_cells(exported: MessageLine) -> tuple[str | int, ...]:
    """Show one message of an export as cells in the order of LINE_COLUMNS; what is not known is empty."""
    return (
        exported.message_uuid,
        exported.destination,
        exported.status,
        "" if exported.error_code is None else exported.error_code,
        exported.parts,
        "" if exported.sent_at is None else instant(exported.sent_at),
        "" if exported.status_at is None else instant(exported.status_at),
    )


def _dispatch_fields(view: DispatchView, zone: str) -> dict[str, Any]:
    """Return what the list and the single dispatch show alike."""
    return {
        "dispatch_id": view.dispatch_id,
        "dispatch_name": view.name,
        "created": instant(view.created_at),
        "local_send_time": _local_send_time(view.schedule, view.started_at or view.created_at, zone),
        "local_completion_time": _local_completion_time(view.schedule),
        "use_local_time": view.schedule.use_local_time,
        "status": view.status,
        "source": view.sender_name,
        "message": view.content,
        "traffic_center_id": view.traffic_center_id,
        "traffic_center_name": view.traffic_center_name,
        "base": UNSET if view.base is None else Base(included=FileName(type="FILE", name=view.base)),
        "parts": _numbers(view.parts),
        "messages": _numbers(view.messages),
    }


def _numbers(counts: Counts) -> Numbers:
    return Numbers(**msgspec.structs.asdict(counts))


def _local_send_time(schedule: Schedule, otherwise: dt.datetime, zone: str) -> str:
    """Return the send time asked for, or when it became possible *otherwise*, in *zone*."""
    value = schedule.send_time or otherwise.astimezone(zoneinfo.ZoneInfo(zone))
    return value.strftime(_LOCAL)


def _local_completion_time(schedule: Schedule) -> str | UnsetType:
    return UNSET if schedule.completion_time is None else schedule.completion_time.strftime(_LOCAL)


def _instant_or_unset(value: dt.datetime | None) -> str | UnsetType:
    return UNSET if value is None else instant(value)


def _or_unset(value: T | None) -> T | UnsetType:
    return UNSET if value is None else value
