"""The schema and the domain say the same."""

import itertools
import json
import re
from collections.abc import AsyncIterator

import pytest
from asyncpg import CheckViolationError

from penstock.domain.errors import InappropriateStatus
from penstock.domain.lifecycle import (
    FINAL,
    MOVES,
    DispatchStatus,
    FinalStatus,
    MessageFacts,
    SubmissionOutcome,
    message_status,
)
from penstock.store import sweeps
from tests.harness.plans import touched
from tests.harness.stage import LIFETIME, Stage

S = DispatchStatus


async def test_the_schema_knows_every_status(stage: Stage) -> None:
    """A dispatch can have each status of the life cycle and no other."""
    [(check,)] = await stage.fetch(
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'dispatch'::regclass"
        " AND conname = 'dispatch_status_check'"
    )

    assert set(re.findall(r"'(\w+)'", str(check))) == {status.value for status in DispatchStatus}


async def test_changing_says_to_what(stage: Stage) -> None:
    """A dispatch cannot be changing to nothing."""
    dispatch_id = await stage.begin(1)

    with pytest.raises(CheckViolationError):
        await stage.fetch("UPDATE dispatch SET status = 'changing' WHERE id = $1", dispatch_id)


@pytest.fixture
async def moves(stage: Stage) -> AsyncIterator[None]:
    """Let the database note each move of a dispatch in the table `moved`."""
    await stage.fetch("CREATE TABLE moved (n bigint GENERATED ALWAYS AS IDENTITY, id bigint, status text)")
    await stage.fetch(
        "CREATE FUNCTION note_move() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN INSERT INTO moved (id, status) VALUES (NEW.id, NEW.status); RETURN NEW; END'"
    )
    await stage.fetch(
        "CREATE TRIGGER note_move AFTER UPDATE OF status ON dispatch FOR EACH ROW EXECUTE FUNCTION note_move()"
    )
    yield
    await stage.fetch("DROP FUNCTION note_move CASCADE")
    await stage.fetch("DROP TABLE moved")


@pytest.mark.anyio
@pytest.mark.usefixtures("moves")
@pytest.mark.parametrize("before", DispatchStatus)
async def test_moves_are_legal(stage: Stage, before: DispatchStatus) -> None:
    """Whatever is done to a dispatch, it makes only moves of the table, and none from a final status."""
    seen = set()
    for act in ("start", "stop", "pause", "resume", "settle", "expire", "wake"):
        for filled, empty in ((0, True), (3, True), (3, False)):
            dispatch_id = await _put(stage, before, filled=filled, empty=empty)
            moved = await _watch_moves(stage, dispatch_id, act)
            seen |= set(itertools.pairwise((before, *moved)))

    assert {(one, other) for one, other in seen if one != other and other not in MOVES[one]} == set()
    assert before not in FINAL or not {other for one, other in seen if one == before and other != before}


async def _put(stage: Stage, status: DispatchStatus, *, filled: int, empty: bool) -> int:
    """Make a dispatch of *filled* messages that stands at *status*; *empty*: nothing is left to claim."""
    dispatch_id = await stage.create()
    if filled:
        await stage.fill(dispatch_id, filled)
    await stage.fetch(
        "UPDATE dispatch SET status = $2, changing_to = CASE WHEN $2 = 'changing' THEN 'stopped' END,"
        " started_at = CASE WHEN $2 <> 'initiated' THEN now() END,"
        " halt_requested_at = now(), halt_key_id = 1,"
        " wake_at = CASE WHEN $3 THEN 'infinity'::timestamptz ELSE '-infinity' END WHERE id = $1",
        dispatch_id,
        status.value,
        empty and status in (S.SENDING, S.AWAITING, S.PAUSED),
    )
    if empty:
        await stage.fetch("DELETE FROM slice WHERE dispatch_id = $1", dispatch_id)
    return dispatch_id


async def _watch_moves(stage: Stage, dispatch_id: int, act: str) -> list[DispatchStatus]:
    """Do something to a dispatch and return the statuses that it went through."""
    try:
        if act == "start":
            await stage.dispatches.start(stage.caller, dispatch_id)
        elif act == "stop":
            await stage.stops.stop(stage.caller, dispatch_id)
        elif act == "pause":
            await stage.stops.pause(stage.caller, dispatch_id)
        elif act == "resume":
            await stage.dispatches.resume(stage.caller, dispatch_id)
        else:
            async with stage.database.connection() as connection:
                if act == "wake":
                    await sweeps.wake_scheduled(connection)
                else:
                    await sweeps.settle(connection, [dispatch_id], lifetime=LIFETIME, expired=act == "expire")
    except InappropriateStatus:
        pass
    rows = await stage.fetch("SELECT status FROM moved WHERE id = $1 ORDER BY n OFFSET 1", dispatch_id)
    return [DispatchStatus(str(status)) for (status,) in rows]


async def test_the_view_derives_the_status_as_the_domain_does(stage: Stage) -> None:
    """A message has the same status and error code in SQL as in the domain, whatever its facts."""
    wrong = []
    dispatch_id = await stage.create()
    await stage.fill(dispatch_id, 1)
    for status, outcome, receipt in itertools.product(DispatchStatus, (None, *SubmissionOutcome), (None, *FinalStatus)):
        code = {None: None, FinalStatus.DELIVERED: None, FinalStatus.UNDELIVERED: 7060, FinalStatus.UNSENT: 7063}[
            receipt
        ]
        await _set_facts(stage, dispatch_id, status, outcome, receipt, code)
        [(by_view, code_by_view)] = await stage.fetch(
            "SELECT status, error_code::integer FROM message_status WHERE dispatch_id = $1", dispatch_id
        )
        by_domain, code_by_domain = message_status(MessageFacts(outcome, receipt, code, status))
        if (by_view, code_by_view) != (by_domain.value, None if code_by_domain is None else int(code_by_domain)):
            wrong.append((status, outcome, receipt, by_view, code_by_view, by_domain, code_by_domain))

    assert wrong == []


async def test_the_view_looks_once_at_each_fact(stage: Stage) -> None:
    """What a dispatch takes to be read grows with it and not with its square, also when it is new to the statistics."""
    for is_known in (True, False):
        dispatch_id = await stage.create()
        for _ in range(2):
            await stage.fill(dispatch_id, 1000)
        await stage.fetch(
            "INSERT INTO submission (dispatch_id, seq, outcome, submitted_at)"
            " SELECT dispatch_id, seq, 3, now() FROM message WHERE dispatch_id = $1",
            dispatch_id,
        )
        if is_known:
            await stage.fetch("ANALYZE message, submission, receipt, dispatch")
    [(plan,)] = await stage.fetch(
        f"EXPLAIN (ANALYZE, FORMAT JSON) SELECT * FROM message_status WHERE dispatch_id = {dispatch_id} AND seq > 0"
    )

    assert touched(json.loads(str(plan))[0]["Plan"]) < 12 * 2000


async def _set_facts(
    stage: Stage,
    dispatch_id: int,
    status: DispatchStatus,
    outcome: SubmissionOutcome | None,
    receipt: FinalStatus | None,
    code: int | None,
) -> None:
    await stage.fetch(
        "UPDATE dispatch SET status = $2, changing_to = CASE WHEN $2 = 'changing' THEN 'stopped' END,"
        " started_at = now() WHERE id = $1",
        dispatch_id,
        status.value,
    )
    await stage.fetch("DELETE FROM submission")
    await stage.fetch("DELETE FROM receipt")
    if outcome is not None:
        await stage.fetch(
            "INSERT INTO submission (dispatch_id, seq, outcome, carrier_id, submitted_at, carrier_message_id)"
            " VALUES ($1, 1, $2::smallint, 1, now(), CASE WHEN $2::smallint = 1 THEN 'x' END)",
            dispatch_id,
            int(outcome),
        )
    if receipt is not None:
        await stage.fetch(
            "INSERT INTO receipt (dispatch_id, seq, status, code, done_at) VALUES ($1, 1, $2, $3, now())",
            dispatch_id,
            int(receipt),
            code,
        )
