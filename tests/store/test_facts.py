"""Facts are stored as they were given."""

import datetime as dt
import uuid
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from penstock.store import facts
from penstock.store.database import Database, Mark

INSTANTS = st.integers(-(2**50), 2**51).map(
    lambda micros: dt.datetime(2000, 1, 1, tzinfo=dt.UTC) + micros * _MICROSECOND
)
_MICROSECOND = dt.timedelta(microseconds=1)
SMALL = st.integers(-(2**15), 2**15 - 1)
INTEGERS = st.integers(-(2**31), 2**31 - 1)
NAMES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=80)
SUBMISSIONS = st.one_of(
    st.tuples(st.just(1), SMALL, st.none(), INSTANTS, NAMES),
    st.tuples(st.just(2), SMALL, st.none() | INTEGERS, INSTANTS, st.none()),
    st.tuples(st.just(3), st.none() | SMALL, st.none(), INSTANTS, st.none()),
)
RECEIPTS = st.tuples(st.integers(1, 3), st.none() | SMALL, st.none() | INTEGERS, INSTANTS)

pytestmark = pytest.mark.anyio
WITH_A_DATABASE = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30)


@WITH_A_DATABASE
@given(found=st.lists(SUBMISSIONS, min_size=1, max_size=20))
async def test_submissions_arrive_as_they_are(found, database: Database) -> None:
    """Each value of a submission, also one that there is none of, is in the table as it was given."""
    async with database.connection() as connection:
        dispatch_id = await connection.fetchval("SELECT nextval('dispatch_id')")
        rows = [(dispatch_id, seq, *values, 1) for seq, values in enumerate(found, 1)]
        await connection.execute("TRUNCATE submission")
        mark = Mark(uuid.uuid4(), 0, 1)
        await facts.record_outcomes(connection, mark, sender_id=1, outcomes=facts.Outcomes(rows))
        stored = await connection.fetch("SELECT * FROM submission ORDER BY seq")

    assert [tuple(row) for row in stored] == [row[:-1] for row in rows]


@WITH_A_DATABASE
@given(found=st.lists(RECEIPTS, min_size=1, max_size=20))
async def test_receipts_arrive_as_they_are(found, database: Database) -> None:
    """Each value of a receipt, also one that there is none of, is in the table as it was given."""
    async with database.connection() as connection:
        dispatch_id = await connection.fetchval("SELECT nextval('dispatch_id')")
        rows = [(dispatch_id, seq, *values) for seq, values in enumerate(found, 1)]
        await connection.execute("TRUNCATE receipt")
        await facts.record_receipts(connection, 1, rows, Counter())
        stored = await connection.fetch("SELECT * FROM receipt ORDER BY seq")

    assert [tuple(row) for row in stored] == rows
