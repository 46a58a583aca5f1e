"""
Facts: submissions, receipts and the tallies that count them, in one transaction.
"""

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, NamedTuple

from penstock.domain.outcome import ReceiptStatus
from penstock.store.database import Connection, Mark
from penstock.store.statements import Statements

SQL = Statements("fact")

#: Tally of facts that belong to no carrier.
NO_CARRIER = 0
#: The wire knows one code for a message that was not delivered.
UNDELIVERED_CODE = 7060
#: Stray receipts that are looked at in one go: a carrier may send any number that are of no message of ours.
_STRAYS = 5000


#: A row of `submission` and the parts that it stands for: dispatch_id, seq, outcome, carrier_id, code, submitted_at,
#: carrier_message_id, parts.  A plain tuple, for one is made for each message and it costs half.
SubmissionRow = tuple[int, int, int, int | None, int | None, dt.datetime, str | None, int]
#: A row of `receipt`: dispatch_id, seq, status, code, carrier_code, done_at.
ReceiptRow = tuple[int, int, int, int | None, int | None, dt.datetime]
#: How many facts add to a tally: by dispatch_id, carrier_id (NO_CARRIER: none), outcome or status, and parts.
Tallied = Counter[tuple[int, int, int, int]]
#: A claim: dispatch_id and first_seq.
ClaimKey = tuple[int, int]
#: Messages that go back: dispatch_id, first and end seq, and zone.
BackRun = tuple[int, int, int, str]


@dataclass(slots=True)
class Outcomes:
    """What a sender records in one go."""

    submissions: Sequence[SubmissionRow] = ()
    held: Sequence[ClaimKey] = ()  #: claims that must still be the sender's: all that this is about
    ended: Sequence[ClaimKey] = ()  #: those of them that end
    back: Sequence[BackRun] = ()  #: what was never written of those that end
    released: Sequence[int] = ()  #: halted dispatches of which the sender then holds nothing


async def record_outcomes(connection: Connection, mark: Mark, *, sender_id: int, outcomes: Outcomes) -> bool:
    """
    Record *outcomes* in one statement that leaves *mark*; False if it wrote nothing: a claim had been taken over.

    Raises UniqueViolationError if a message has its submission already, which is a bug.
    """
    dispatch_ids, seqs, _, _, _, _, names, _ = _columns(outcomes.submissions, 8)
    kinds, (values, carrier_ids, codes, submitted_ats) = _kinds([row[2:6] for row in outcomes.submissions])
    back = _columns(outcomes.back, 4)
    held, ended = _columns(sorted(outcomes.held), 2), _columns(outcomes.ended, 2)
    keys, sums = _sum_up(Counter(map(_TALLIED, outcomes.submissions)))
    return bool(
        await connection.fetchval(
            *SQL.record_outcomes(
                sender_id=sender_id,
                dispatch_ids=dispatch_ids, seqs=seqs, kinds=kinds, carrier_message_ids=names,
                outcomes=values, carrier_ids=carrier_ids, codes=codes, submitted_ats=submitted_ats,
                held_dispatch_ids=held[0], held_first_seqs=held[1],
                ended_dispatch_ids=ended[0], ended_first_seqs=ended[1],
                back_dispatch_ids=back[0], back_first_seqs=back[1], back_end_seqs=back[2], back_zones=back[3],
                tally_dispatch_ids=keys[0], tally_carrier_ids=keys[1],
                accepted=sums[0], accepted_parts=sums[1], refused=sums[2], refused_parts=sums[3],
                in_doubt=sums[4], in_doubt_parts=sums[5],
                **mark._asdict(),
                released=outcomes.released,
            )
        )
    )  # fmt: skip


#: dispatch_id, carrier_id, outcome and parts of a submission.
_TALLIED = itemgetter(0, 3, 2, 7)


async def record_receipts(connection: Connection, sender_id: int, rows: Sequence[ReceiptRow], tallied: Tallied) -> None:
    """
    Write receipts that are believed new, and count *tallied*; *sender_id* 0 for what no sender has to do with.

    Raises UniqueViolationError if one is not new, and CheckViolationError if its partition has been dropped.
    """
    dispatch_ids, seqs, *_ = _columns(rows, 6)
    kinds, (statuses, codes, carrier_codes, done_ats) = _kinds([row[2:] for row in rows])
    keys, sums = _sum_up(tallied)
    await connection.execute(
        *SQL.record_receipts(
            sender_id=sender_id,
            dispatch_ids=dispatch_ids, seqs=seqs, kinds=kinds,
            statuses=statuses, codes=codes, carrier_codes=carrier_codes, done_ats=done_ats,
            tally_dispatch_ids=keys[0], tally_carrier_ids=keys[1],
            delivered=sums[0], delivered_parts=sums[1], undelivered=sums[2], undelivered_parts=sums[3],
            unsent=sums[4], unsent_parts=sums[5],
        )
    )  # fmt: skip


def _columns(rows: Sequence[tuple[Any, ...]], width: int) -> Sequence[Sequence[Any]]:
    """Return rows as columns."""
    return list(zip(*rows, strict=True)) if rows else [()] * width


def _kinds(values: Sequence[tuple[Any, ...]]) -> tuple[list[int], Sequence[Sequence[Any]]]:
    """Return where (from 1) the values of each row stand in columns that hold each combination of them once."""
    places: dict[tuple[Any, ...], int] = {}
    kinds = [places.setdefault(value, len(places) + 1) for value in values]
    return kinds, _columns(list(places), 4)


def _sum_up(tallied: Tallied) -> tuple[Sequence[Sequence[int]], Sequence[Sequence[int]]]:
    """Return columns: dispatch_id and carrier_id; and messages and parts of outcome or status 1, of 2 and of 3."""
    sums: dict[tuple[int, int], list[int]] = {}
    for (dispatch_id, carrier_id, what, parts), times in tallied.items():
        each = sums.setdefault((dispatch_id, carrier_id or NO_CARRIER), [0] * 6)
        each[2 * what - 2] += times
        each[2 * what - 1] += times * parts
    return _columns(list(sums), 2), _columns(list(map(tuple, sums.values())), 6)


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
    facts: dict[tuple[int, int], tuple[ReceiptRow, int, int]] = {}
    for dispatch_id, seq, parts, carrier_id, status, carrier_code, done_at in rows:
        code = None if status == ReceiptStatus.DELIVERED else UNDELIVERED_CODE
        facts.setdefault(
            (dispatch_id, seq), ((dispatch_id, seq, status, code, carrier_code, done_at), carrier_id, parts)
        )
    new = await insert_receipts(connection, [row for row, _, _ in facts.values()])
    found = [facts[key] for key in new]
    tallied = Counter((row[0], carrier_id, row[2], parts) for row, carrier_id, parts in found)
    await record_receipts(connection, 0, (), tallied)
    return {key[0] for key in new}


async def drop_strays(connection: Connection) -> list[tuple[int, str]]:
    """Give up on some receipts whose message never came and return (carrier id, carrier's message id) of each."""
    return [(row[0], row[1]) for row in await connection.fetch(*SQL.drop_strays(most=_STRAYS))]


async def make_carrier(connection: Connection, name: str) -> int:
    """Return the id of a carrier, which is made if need be."""
    return int(await connection.fetchval(*SQL.make_carrier(name=name)))
