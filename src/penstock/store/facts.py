"""
Facts: submissions, receipts and the tallies that count them, in one transaction.
"""

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import NamedTuple

import asyncpg

from penstock.domain.lifecycle import SubmissionOutcome
from penstock.domain.outcome import ReceiptStatus
from penstock.store.copying import ReceiptRow, SubmissionRow, copy_rows, pack_receipts, pack_submissions
from penstock.store.database import Connection
from penstock.store.statements import Statements

SQL = Statements("fact")
CLAIM = Statements("claim")

ACCEPTED, REJECTED, IN_DOUBT = SubmissionOutcome
#: Tally of facts that belong to no carrier.
NO_CARRIER = 0
#: The wire knows one code for a message that was not delivered.
UNDELIVERED_CODE = 7060
#: Stray receipts that are looked at in one go: a carrier may send any number that are of no message of ours.
_STRAYS = 5000


class Submission(NamedTuple):
    """A row of `submission`, in the order of its columns, and the parts that it stands for."""

    dispatch_id: int
    seq: int
    outcome: int
    carrier_id: int | None
    code: int | None
    submitted_at: dt.datetime
    carrier_message_id: str | None
    parts: int


class ReceiptFact(NamedTuple):
    """A row of `receipt`, in the order of its columns."""

    dispatch_id: int
    seq: int
    status: int
    code: int | None
    carrier_code: int | None
    done_at: dt.datetime


@dataclass(slots=True)
class Count:
    """What a transaction adds to one tally."""

    accepted: int = 0
    accepted_parts: int = 0
    refused: int = 0
    refused_parts: int = 0
    in_doubt: int = 0
    in_doubt_parts: int = 0
    delivered: int = 0
    delivered_parts: int = 0
    undelivered: int = 0
    undelivered_parts: int = 0
    unsent: int = 0
    unsent_parts: int = 0
    late: int = 0


@dataclass(slots=True)
class Tallies:
    """What a transaction adds to the tallies, by dispatch and carrier."""

    counts: dict[tuple[int, int], Count] = field(default_factory=dict)

    def of(self, dispatch_id: int, carrier_id: int | None) -> Count:
        """Return the count to add to."""
        key = (dispatch_id, carrier_id or NO_CARRIER)
        found = self.counts.get(key)
        if found is None:
            found = self.counts[key] = Count()
        return found


_COUNTERS = tuple(Count.__slots__)


async def lock_claims(connection: Connection, sender_id: int, keys: Sequence[tuple[int, int]]) -> set[tuple[int, int]]:
    """Lock one's claims and return those that are still there; the others were taken over as in doubt."""
    rows = await connection.fetch(
        *CLAIM.lock_claims(
            dispatch_ids=[key[0] for key in keys], first_seqs=[key[1] for key in keys], sender_id=sender_id
        )
    )
    return {(row[0], row[1]) for row in rows}


async def lock_dispatches(connection: Connection, dispatch_ids: Iterable[int]) -> None:
    """Lock dispatches to which something is about to come back."""
    await connection.execute(*CLAIM.lock_dispatches(dispatch_ids=sorted(dispatch_ids)))


async def release_claims(connection: Connection, ended: Sequence[tuple[int, int]]) -> None:
    """End claims by their keys."""
    await connection.execute(
        *CLAIM.release_claims(dispatch_ids=[key[0] for key in ended], first_seqs=[key[1] for key in ended])
    )


async def give_back(connection: Connection, runs: Sequence[tuple[int, int, int, str]], *, wake_at: dt.datetime) -> None:
    """Return runs (dispatch id, first, end, zone) to the slices of dispatches that the caller has locked."""
    await connection.execute(
        *CLAIM.give_back(
            dispatch_ids=[run[0] for run in runs],
            first_seqs=[run[1] for run in runs],
            end_seqs=[run[2] for run in runs],
            zones=[run[3] for run in runs],
        )
    )
    await connection.execute(*CLAIM.wake_dispatches(wake_at=wake_at, dispatch_ids=sorted({run[0] for run in runs})))


async def copy_submissions(connection: Connection, rows: Sequence[SubmissionRow]) -> None:
    """Write submissions; raises UniqueViolationError if one is there already, which is a bug."""
    await copy_rows(connection, "submission", Submission._fields[:-1], pack_submissions(rows))


async def copy_receipts(connection: Connection, rows: Sequence[ReceiptRow]) -> None:
    """Write receipts that are believed new; raises UniqueViolationError if one is not."""
    await copy_rows(connection, "receipt", ReceiptFact._fields, pack_receipts(rows))


async def insert_receipts(connection: Connection, rows: Sequence[ReceiptRow]) -> set[tuple[int, int]]:
    """Write receipts of which some may be known and return the new ones; the first one wins."""
    written = await connection.fetch(
        *SQL.insert_receipts(
            dispatch_ids=[row[0] for row in rows],
            seqs=[row[1] for row in rows],
            statuses=[row[2] for row in rows],
            codes=[row[3] for row in rows],
            carrier_codes=[row[4] for row in rows],
            done_ats=[row[5] for row in rows],
        )
    )
    return {(row[0], row[1]) for row in written}


async def add_tallies(
    connection: Connection, sender_id: int, tallies: Tallies, *, ended: Sequence[tuple[int, int]] = ()
) -> None:
    """Move the counters, and end claims by their keys."""
    if not (tallies.counts or ended):
        return
    keys = list(tallies.counts)
    columns = {name: [getattr(count, name) for count in tallies.counts.values()] for name in _COUNTERS}
    await connection.execute(
        *SQL.add_tallies(
            sender_id=sender_id,
            dispatch_ids=[key[0] for key in keys],
            carrier_ids=[key[1] for key in keys],
            ended_dispatch_ids=[key[0] for key in ended],
            ended_first_seqs=[key[1] for key in ended],
            **columns,
        )
    )


def count_submissions(tallies: Tallies, rows: Iterable[SubmissionRow]) -> None:
    """Count what came of handing messages over."""
    for (dispatch_id, outcome, carrier_id, parts), times in Counter(map(_TALLIED, rows)).items():
        count = tallies.of(dispatch_id, carrier_id)
        if outcome == ACCEPTED:
            count.accepted += times
            count.accepted_parts += times * parts
        elif outcome == REJECTED:
            count.refused += times
            count.refused_parts += times * parts
        else:
            count.in_doubt += times
            count.in_doubt_parts += times * parts


#: dispatch_id, outcome, carrier_id and parts of a submission.
_TALLIED = itemgetter(0, 2, 3, 7)


def count_receipts(count: Count, status: int, parts: int, times: int = 1) -> None:
    """Count receipts from a carrier for messages of so many parts each."""
    if status == ReceiptStatus.DELIVERED:
        count.delivered += times
        count.delivered_parts += times * parts
    else:
        count.undelivered += times
        count.undelivered_parts += times * parts


class Found(NamedTuple):
    """The message that a carrier calls by an id."""

    dispatch_id: int
    seq: int
    parts: int


async def find_submissions(
    connection: Connection, carrier_id: int, carrier_message_ids: Sequence[str]
) -> dict[str, Found]:
    """Find messages by the ids their carrier gave them."""
    rows = await connection.fetch(*SQL.find_submissions(carrier_message_ids=carrier_message_ids, carrier_id=carrier_id))
    return {row[0]: Found(row[1], row[2], row[3]) for row in rows}


class Stray(NamedTuple):
    """A receipt whose message is not known yet."""

    carrier_message_id: str
    status: int
    carrier_code: int | None
    done_at: dt.datetime


async def keep_strays(connection: Connection, carrier_id: int, strays: Sequence[Stray]) -> None:
    """Keep receipts until their message is recorded, or an hour has gone."""
    await connection.execute(
        *SQL.keep_strays(
            carrier_id=carrier_id,
            carrier_message_ids=[stray.carrier_message_id for stray in strays],
            statuses=[stray.status for stray in strays],
            carrier_codes=[stray.carrier_code for stray in strays],
            done_ats=[stray.done_at for stray in strays],
        )
    )


async def find_last_stray(connection: Connection, after: int) -> int:
    """Return the last of the next thousands of stray receipts; 0: there are none after *after*."""
    return await connection.fetchval(*SQL.find_last_stray(after=after, most=_STRAYS)) or 0


async def match_strays(connection: Connection, after: int, last: int) -> set[int]:
    """
    Write those of some stray receipts whose message has been recorded since.

    Looks at *after* < id ≤ *last* and returns the dispatches that they belong to.
    """
    rows = await connection.fetch(*SQL.take_strays(after=after, last=last))
    if not rows:
        return set()
    facts: dict[tuple[int, int], tuple[asyncpg.Record, ReceiptFact]] = {}
    for row in rows:
        code = None if row["status"] == ReceiptStatus.DELIVERED else UNDELIVERED_CODE
        fact = ReceiptFact(row["dispatch_id"], row["seq"], row["status"], code, row["carrier_code"], row["done_at"])
        facts.setdefault((fact.dispatch_id, fact.seq), (row, fact))
    new = await insert_receipts(connection, [fact for _, fact in facts.values()])
    tallies = Tallies()
    for key in new:
        row, fact = facts[key]
        count_receipts(tallies.of(fact.dispatch_id, row["carrier_id"]), fact.status, row["parts"])
    await add_tallies(connection, 0, tallies)
    return {key[0] for key in new}


async def drop_strays(connection: Connection) -> list[tuple[int, str]]:
    """Give up on some receipts whose message never came and return (carrier id, carrier's message id) of each."""
    return [(row[0], row[1]) for row in await connection.fetch(*SQL.drop_strays(most=_STRAYS))]


async def make_carrier(connection: Connection, name: str) -> int:
    """Return the id of a carrier, which is made if need be."""
    return int(await connection.fetchval(*SQL.make_carrier(name=name)))
