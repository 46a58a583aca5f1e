"""
Claims: the durable intent to hand over messages.

The caller locks dispatches with `pick`, decides, and takes runs of them, all in one transaction;
while it is open no halt can begin on those dispatches, and once a halt has begun `pick` does not
find them.
"""

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from penstock.domain.model import Rate, Schedule
from penstock.store.database import Connection
from penstock.store.rows import rate_of, schedule_of
from penstock.store.statements import Statements

SQL = Statements("claim")


class Candidate(NamedTuple):
    """A locked dispatch whose turn it is."""

    dispatch_id: int
    priority: int
    sender_name: str
    content: str
    ttl: int | None
    halts: int  #: how many halts it has had; tells a claim from before a halt from one after it
    turn: int
    siblings: int  #: dispatches of its account that compete with it, itself included
    zones: tuple[str, ...]
    default_zone: str
    schedule: Schedule
    rate: Rate | None
    rate_next_at: dt.datetime | None
    now: dt.datetime  #: the database's clock


class Demand(NamedTuple):
    """What a claim wants of one candidate."""

    dispatch_id: int
    budget: int
    zones: tuple[str, ...]  #: those open now


class Run(NamedTuple):
    """Messages *first_seq* ≤ seq < *end_seq* of one dispatch."""

    dispatch_id: int
    first_seq: int
    end_seq: int
    zone: str


class Advance(NamedTuple):
    """What a claim leaves behind at one dispatch."""

    dispatch_id: int
    turn: int
    rate_next_at: dt.datetime | None
    wake_at: dt.datetime  #: when the open zones may be claimed from again
    opens_at: dt.datetime  #: when a closed zone opens
    zones: tuple[str, ...]


class Stored(NamedTuple):
    """The messages of one run as they were filled, column by column."""

    seqs: Sequence[int]
    destinations: Sequence[int]
    parts: Sequence[int]
    substitutions: Sequence[list[str] | None]


async def pick(connection: Connection, *, lowest: int, channel_types: Sequence[str], most: int) -> list[Candidate]:
    """Lock up to *most* dispatches of priority *lowest* or better, those whose turn it is first."""
    rows = await connection.fetch(*SQL.pick_dispatches(lowest=lowest, channel_types=channel_types, most=most))
    return [
        Candidate(
            row["id"], row["priority"], row["sender_name"], row["content"], row["ttl"], row["halts"],
            row["turn"], row["siblings"], tuple(row["zones"]), row["default_zone"], schedule_of(row),
            rate_of(row), row["rate_next_at"], row["now"],
        )
        for row in rows
    ]  # fmt: skip


async def take(connection: Connection, sender_id: int, demands: Sequence[Demand]) -> list[Run]:
    """Claim for *sender_id* what the locked dispatches have, up to each budget."""
    rows = await connection.fetch(
        *SQL.take_runs(
            dispatch_ids=[demand.dispatch_id for demand in demands],
            budgets=[demand.budget for demand in demands],
            zones=[",".join(demand.zones) for demand in demands],
            sender_id=sender_id,
        )
    )
    return sorted(Run(row["dispatch_id"], row["first_seq"], row["end_seq"], row["zone"]) for row in rows)


async def advance(connection: Connection, moves: Sequence[Advance]) -> None:
    """Note what was spent and when to look again."""
    await connection.execute(
        *SQL.advance_dispatches(
            dispatch_ids=[move.dispatch_id for move in moves],
            turns=[move.turn for move in moves],
            rate_next_ats=[move.rate_next_at for move in moves],
            wake_ats=[move.wake_at for move in moves],
            opens_ats=[move.opens_at for move in moves],
            zones=[",".join(move.zones) for move in moves],
        )
    )


async def read(connection: Connection, runs: Sequence[Run]) -> list[Stored]:
    """Read the messages of claimed runs, which are in order."""
    if len(runs) == 1:
        rows = await connection.fetch(
            *SQL.read_run(dispatch_id=runs[0].dispatch_id, first_seq=runs[0].first_seq, end_seq=runs[0].end_seq)
        )
    else:
        rows = await connection.fetch(
            *SQL.read_messages(
                dispatch_ids=[run.dispatch_id for run in runs],
                first_seqs=[run.first_seq for run in runs],
                end_seqs=[run.end_seq for run in runs],
            )
        )
    found, position = [], 0
    for run in runs:
        end = position + run.end_seq - run.first_seq
        found.append(Stored(*zip(*rows[position:end], strict=True)))
        position = end
    assert position == len(rows)  # noqa: S101 - a slice holds messages that are there, each of them
    return found


async def find_own(connection: Connection, sender_id: int) -> list[Run]:
    """Return all that a sender has claimed."""
    rows = await connection.fetch(*SQL.find_own_claims(sender_id=sender_id))
    return [Run(row["dispatch_id"], row["first_seq"], row["end_seq"], row["zone"]) for row in rows]


async def lock_dispatches(connection: Connection, dispatch_ids: Iterable[int]) -> None:
    """Lock dispatches to which something is about to come back."""
    await connection.execute(*SQL.lock_dispatches(dispatch_ids=sorted(dispatch_ids)))
