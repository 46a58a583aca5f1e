"""
Messages: filling dispatches, single messages, looking at what became of them.
"""

import datetime as dt
import json
from collections.abc import Sequence
from typing import NamedTuple

import asyncpg

from penstock.domain.errors import ItemCode
from penstock.domain.lifecycle import DispatchStatus, MessageFacts, message_status
from penstock.domain.model import MessageLine, MessageView, Priority, Schedule
from penstock.domain.template import Template
from penstock.domain.uuids import message_uuid, uuid_maker
from penstock.store.database import Connection
from penstock.store.rows import schedule_of
from penstock.store.statements import Statements

SQL = Statements("message")

#: Runs of a file that one transaction deletes: a whole file may take longer than a statement may last.
_RUNS_DROPPED = 100


class MessageRow(NamedTuple):
    """A row of `message`, in the order of its columns."""

    dispatch_id: int
    seq: int
    destination: int
    parts: int
    substitutions: list[str] | None
    external_id: str | None


class Run(NamedTuple):
    """Messages *first_seq* ≤ seq < *end_seq* of one dispatch and zone."""

    dispatch_id: int
    first_seq: int
    end_seq: int
    zone: str
    parts: int


async def reserve(
    connection: Connection, account_id: int, dispatch_id: int, *, count: int, parts: int, zones: Sequence[str]
) -> int | None:
    """Number *count* messages for a dispatch and return the first seq; None when it can no longer be filled."""
    first: int | None = await connection.fetchval(
        *SQL.reserve_seqs(count=count, parts=parts, zones=zones, dispatch_id=dispatch_id, account_id=account_id)
    )
    return first


async def copy(connection: Connection, rows: Sequence[MessageRow]) -> None:
    """Write messages."""
    await connection.copy_records_to_table("message", records=rows, columns=MessageRow._fields)


async def add_slices(connection: Connection, runs: Sequence[Run]) -> None:
    """Make runs of messages claimable."""
    await connection.execute(
        *SQL.add_slices(
            dispatch_ids=[run.dispatch_id for run in runs],
            first_seqs=[run.first_seq for run in runs],
            end_seqs=[run.end_seq for run in runs],
            zones=[run.zone for run in runs],
        )
    )


class Anonymous(NamedTuple):
    """The dispatch behind single messages that share all their settings."""

    dispatch_id: int
    account_id: int
    traffic_center_id: int
    channel_type: str
    sender_name: str
    priority: Priority
    schedule: Schedule
    ttl: int | None
    tags: tuple[str, ...]
    short_url: bool
    callback_url: str | None
    callback_events: tuple[str, ...]
    messages: int
    parts: int
    zones: tuple[str, ...]


class Single(NamedTuple):
    """A single message; its text is all that its dispatch does not say."""

    dispatch_id: int
    seq: int
    destination: int
    parts: int
    text: str
    external_id: str | None


async def store_singles(
    connection: Connection,
    made: Sequence[Anonymous],
    singles: Sequence[Single],
    runs: Sequence[Run],
    *,
    wake_at: dt.datetime,
    lifetime: int,
    said: str,
) -> None:
    """
    Store single messages with their dispatches, make them claimable and say so once the transaction commits.

    Dispatches without times of their own have a *lifetime*.
    """
    message_ids, seqs, destinations, message_parts, texts, external_ids = zip(*singles, strict=True)
    await connection.execute(
        *SQL.store_singles(
            lifetime=lifetime,
            said=said,
            message_ids=message_ids,
            seqs=seqs,
            destinations=destinations,
            message_parts=message_parts,
            texts=texts,
            external_ids=external_ids,
            run_ids=[run.dispatch_id for run in runs],
            first_seqs=[run.first_seq for run in runs],
            end_seqs=[run.end_seq for run in runs],
            run_zones=[run.zone for run in runs],
            ids=[one.dispatch_id for one in made],
            account_ids=[one.account_id for one in made],
            traffic_center_ids=[one.traffic_center_id for one in made],
            channel_types=[one.channel_type for one in made],
            sender_names=[one.sender_name for one in made],
            priorities=[one.priority for one in made],
            use_local_times=[one.schedule.use_local_time for one in made],
            send_times=[one.schedule.send_time for one in made],
            completion_times=[one.schedule.completion_time for one in made],
            hours=[",".join(map(str, one.schedule.hours)) for one in made],
            days=[",".join(map(str, one.schedule.days)) for one in made],
            ttls=[one.ttl for one in made],
            tags=[json.dumps(one.tags) for one in made],
            short_urls=[one.short_url for one in made],
            callback_urls=[one.callback_url for one in made],
            callback_events=[json.dumps(one.callback_events) for one in made],
            statuses=[DispatchStatus.SENDING] * len(made),
            wake_ats=[wake_at] * len(made),
            messages=[one.messages for one in made],
            parts=[one.parts for one in made],
            zones=[",".join(one.zones) for one in made],
        )
    )


async def next_ids(connection: Connection, count: int) -> list[int]:
    """Draw ids for new dispatches."""
    return [row["id"] for row in await connection.fetch(*SQL.next_ids(count=count))]


async def view(connection: Connection, account_id: int, dispatch_id: int, seq: int) -> MessageView | None:
    """Read one message of an account."""
    row = await connection.fetchrow(*SQL.get_message(dispatch_id=dispatch_id, seq=seq, account_id=account_id))
    return None if row is None else _view(row)


async def lines(connection: Connection, dispatch_id: int, after: int, most: int) -> list[MessageLine]:
    """Read the messages with *after* < seq ≤ *after* + *most*, in order."""
    rows = await connection.fetch(*SQL.export_lines(dispatch_id=dispatch_id, after=after, most=most))
    name = uuid_maker(dispatch_id)
    return [
        MessageLine(name(seq), str(destination), status, error_code, parts, sent_at, status_at)
        for seq, destination, parts, status, error_code, sent_at, status_at in rows
    ]


class Known(NamedTuple):
    """A message that a client wants stopped."""

    parts: int
    is_over: bool  #: it has left or is final
    is_stopped: bool  #: it was stopped before


async def find(
    connection: Connection, account_id: int, keys: Sequence[tuple[int, int]]
) -> dict[tuple[int, int], Known]:
    """Look which of these messages (dispatch id, seq) an account has."""
    rows = await connection.fetch(
        *SQL.find_messages(dispatch_ids=[key[0] for key in keys], seqs=[key[1] for key in keys], account_id=account_id)
    )
    return {
        (row["dispatch_id"], row["seq"]): Known(row["parts"], row["is_over"], bool(row["is_stopped"])) for row in rows
    }


class Slice(NamedTuple):
    """Messages of one dispatch that are not claimed yet."""

    dispatch_id: int
    next_seq: int
    end_seq: int
    zone: str


async def find_slices(connection: Connection, keys: Sequence[tuple[int, int]]) -> list[Slice]:
    """Return the slices that hold these messages; their dispatches are locked by the caller."""
    rows = await connection.fetch(
        *SQL.lock_slices_of(dispatch_ids=[key[0] for key in keys], seqs=[key[1] for key in keys])
    )
    return [Slice(*row) for row in rows]


async def replace_slices(connection: Connection, old: Sequence[Slice], new: Sequence[Run]) -> None:
    """Put *new* runs in the place of *old* slices."""
    await connection.execute(
        *SQL.delete_slices(dispatch_ids=[one.dispatch_id for one in old], end_seqs=[one.end_seq for one in old])
    )
    if new:
        await add_slices(connection, new)


# Files.


async def begin_upload(connection: Connection, dispatch_id: int, name: str) -> int:
    """Note that a file is coming, and return its id."""
    return int(await connection.fetchval(*SQL.begin_upload(dispatch_id=dispatch_id, name=name)))


async def reserve_for_upload(connection: Connection, dispatch_id: int, count: int) -> int | None:
    """Number *count* messages of a file; None when the dispatch can no longer be filled."""
    first: int | None = await connection.fetchval(*SQL.reserve_upload_seqs(count=count, dispatch_id=dispatch_id))
    return first


async def add_upload_runs(connection: Connection, upload_id: int, runs: Sequence[Run]) -> bool:
    """Note runs of a file, in the transaction that stores them; False when the upload was given up meanwhile."""
    noted = await connection.fetch(
        *SQL.add_upload_runs(
            upload_id=upload_id,
            first_seqs=[run.first_seq for run in runs],
            end_seqs=[run.end_seq for run in runs],
            zones=[run.zone for run in runs],
            parts=[run.parts for run in runs],
        )
    )
    return len(noted) == len(runs)


async def take_upload(connection: Connection, upload_id: int, dispatch_id: int) -> list[Run] | None:
    """End an upload and return its runs in order; None when it was given up meanwhile."""
    if await connection.fetchval(*SQL.lock_upload(upload_id=upload_id)) is None:
        return None
    rows = await connection.fetch(*SQL.take_upload_runs(upload_id=upload_id))
    await connection.execute(*SQL.forget_upload(upload_id=upload_id))
    return [Run(dispatch_id, row["first_seq"], row["end_seq"], row["zone"], row["parts"]) for row in rows]


async def adopt_upload(
    connection: Connection, dispatch_id: int, name: str, *, count: int, parts: int, zones: Sequence[str]
) -> bool:
    """Make the messages of a file part of their dispatch; False when it can no longer be filled."""
    adopted = await connection.fetchval(
        *SQL.adopt_upload(count=count, parts=parts, name=name, zones=zones, dispatch_id=dispatch_id)
    )
    return adopted is not None


async def give_up_upload(connection: Connection, upload_id: int) -> None:
    """Note that a file does not become part of its dispatch: nothing can be added to it, nor can it be taken."""
    await connection.execute(*SQL.give_up_upload(upload_id=upload_id))


async def drop_upload(connection: Connection, upload_id: int) -> bool:
    """Delete a part of a file that was given up, at most about 100,000 messages; False when all of it is gone."""
    if await connection.fetchval(*SQL.drop_upload_runs(upload_id=upload_id, most=_RUNS_DROPPED)):
        return True
    await connection.execute(*SQL.forget_upload(upload_id=upload_id))
    return False


async def find_dead_uploads(connection: Connection) -> list[int]:
    """Return files of which nothing has come for ten minutes, and those that were given up."""
    return [row["id"] for row in await connection.fetch(*SQL.find_dead_uploads())]


def _view(row: asyncpg.Record) -> MessageView:
    facts = MessageFacts(row["outcome"], row["receipt"], row["receipt_code"], DispatchStatus(row["status"]))
    status, code = message_status(facts)
    rejected = row["receipt"] is None and code == ItemCode.REJECTED
    return MessageView(
        message_uuid=message_uuid(row["id"], row["seq"]),
        dispatch_id=None if row["is_anonymous"] else row["id"],
        external_id=row["external_id"],
        created_at=row["created_at"],
        channel_type=row["channel_type"],
        traffic_type=Priority(row["priority"]).name,
        traffic_center_id=row["traffic_center_id"],
        sender_name=row["sender_name"],
        destination=str(row["destination"]),
        content=Template.parse(row["content"]).render(row["substitutions"] or ()),
        schedule=schedule_of(row),
        ttl=row["ttl"],
        tags=tuple(row["tags"]),
        callback_url=row["callback_url"],
        callback_events=tuple(row["callback_events"]),
        total_parts=row["total_parts"],
        status=status,
        error_code=None if code is None else int(code),
        sent_at=row["submitted_at"] if row["outcome"] is not None else None,
        status_at=row["submitted_at"] if rejected else row["done_at"],
    )
