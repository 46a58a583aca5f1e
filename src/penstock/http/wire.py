"""
Wire words from internal values: every object that a client is sent is made here.
"""

import datetime as dt
import zoneinfo
from collections.abc import Sequence
from typing import Any, Final, TypeVar

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
from penstock.http.shapes import (
    Base,
    CarrierAnswer,
    ChannelAnswer,
    DispatchAnswer,
    FileAnswer,
    FileName,
    FilledItem,
    LineAnswer,
    MessageAnswer,
    Numbers,
    PartitionAnswer,
    ProgressAnswer,
    RateAnswer,
    ReceiptAnswer,
    RefusedRow,
    SendAnswer,
    SentItem,
    StopAnswer,
    StoppedItem,
)

T = TypeVar("T")

#: Codes of the items of an answer to ``/message``.
CREATED: Final = 201
FAILED: Final = 400

_LOCAL = "%Y-%m-%d %H:%M:%S"


#: The columns of an export as CSV; the same words as in JSON.
LINE_COLUMNS = ("messageUuid", "destination", "status", "errorCode", "parts", "sentTime", "statusTime")


def instant(value: dt.datetime) -> str:
    """Write an instant as the wire does: UTC, whole seconds."""
    return value.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def filled(entries: Sequence[Entry], outcomes: Sequence[str | int]) -> list[FilledItem]:
    """Pair each element of a fill with what became of it."""
    return [
        FilledItem(destination=entry.destination, message_uuid=outcome)
        if isinstance(outcome, str)
        else FilledItem(destination=entry.destination, error_code=outcome)
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
    items: list[SentItem] = []
    for message, outcome in zip(messages, outcomes, strict=True):
        external_id = _or_unset(message.external_id)
        if isinstance(outcome, str):
            items.append(SentItem(message_uuid=outcome, external_message_id=external_id, code=CREATED))
        else:
            items.append(SentItem(external_message_id=external_id, code=FAILED, error_code=outcome))
    return SendAnswer(errors=any(item.code != CREATED for item in items), items=items)


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
