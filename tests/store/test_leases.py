"""Leases: who may write, and what becomes of the claims of one that is gone."""

import asyncio
import datetime as dt
import os
import signal
from pathlib import Path

import asyncpg

from penstock.domain.lifecycle import SubmissionOutcome
from penstock.engine.lease import Lease
from penstock.store import leases
from penstock.store.embedded import EmbeddedPostgres
from penstock.store.migrate import migrate
from tests.harness.stage import LEASE, Stage
from tests.harness.waiting import until


async def test_a_renewed_lease_is_not_ended(stage: Stage) -> None:
    """A sender that renews while it is being given up stays alive: whoever is first wins."""
    async with stage.sender() as sender:
        await sender.presume_dead()
        async with stage.database.transaction() as renewing:
            assert await leases.renew(renewing, sender.sender_id, LEASE, "{}") is not None
            async with stage.database.connection() as other:
                fencing = asyncio.create_task(leases.fence_off(other, [sender.sender_id]))
                await until(lambda: _is_waiting(stage), what="the fence to wait for the renewal")
                await renewing.execute("COMMIT")
                await renewing.execute("BEGIN")
                assert await fencing == []
        assert await sender.beat()


async def _is_waiting(stage: Stage) -> bool:
    rows = await stage.fetch(
        "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    return bool(rows)


async def test_an_ended_lease_is_never_renewed(stage: Stage) -> None:
    """Once others have said that a sender is gone it can never say otherwise."""
    async with stage.sender() as sender:
        await sender.presume_dead()
        async with stage.database.connection() as connection:
            assert await leases.fence_off(connection, [sender.sender_id]) == [sender.sender_id]

        assert not await sender.beat()


async def test_a_running_lease_cannot_be_ended_by_others(stage: Stage) -> None:
    """A sender that is alive is not given up, whoever tries."""
    async with stage.sender() as sender, stage.database.connection() as connection:
        assert await leases.fence_off(connection, [sender.sender_id]) == []


async def test_the_death_of_a_child_ends_its_lease_at_once(stage: Stage) -> None:
    """Where the supervisor has seen a sender die nobody waits for its lease."""
    sender = await stage.enter()
    await sender.die()

    async with stage.database.connection() as connection:
        assert await leases.fence_off(connection, [sender.sender_id]) == [sender.sender_id]


async def test_claims_of_the_dead_are_in_doubt_exactly(stage: Stage) -> None:
    """Of a dead sender's claims exactly the messages without an outcome are in doubt, each counted once."""
    dispatch_id = await stage.begin(100, content="long " * 40)
    sender = await stage.enter()
    await sender.claim(60)
    written = sender.write(25)
    sender.answer(written, SubmissionOutcome.ACCEPTED)
    await sender.record()
    await sender.die()
    await stage.stops.bury_dead()
    await stage.stops.bury_dead()

    rows = await stage.fetch("SELECT seq FROM submission WHERE outcome = 3 ORDER BY seq")
    assert [seq for (seq,) in rows] == list(range(26, 61))
    [(count, parts)] = await stage.fetch(
        "SELECT sum(in_doubt)::integer, sum(in_doubt_parts)::integer FROM tally WHERE dispatch_id = $1", dispatch_id
    )
    assert (count, parts) == (35, 70)
    assert await stage.fetch("SELECT 1 FROM claim") == []
    view = await stage.look(dispatch_id)
    assert (view.messages.sent, view.messages.sending) == (60, 40)


async def test_what_the_dead_did_not_claim_is_sent_by_others(stage: Stage) -> None:
    """The rest of a dispatch goes on with another sender."""
    await stage.begin(30)
    dead = await stage.enter()
    await dead.claim(10)
    await dead.die()
    await stage.stops.bury_dead()
    async with stage.sender() as sender:
        claimed = await sender.claim(100)

    assert sorted(message.seq for message in claimed) == list(range(11, 31))


async def test_a_sender_leaves_only_with_empty_hands(stage: Stage) -> None:
    """A sender that still holds a claim does not end its lease as if nothing were left."""
    await stage.begin(3)
    async with stage.sender() as sender:
        await sender.claim(3)
        async with stage.database.connection() as connection:
            assert not await leases.leave(connection, sender.sender_id)
        sender.give_back()
        await sender.record()
        async with stage.database.connection() as connection:
            assert await leases.leave(connection, sender.sender_id)


async def test_leaving_and_renewing_do_not_meet(stage: Stage) -> None:
    """A sender that gives its lease up in the middle of a renewal ends well, and its gate stays shut."""
    for turns in (0, 3, 6):
        lease = Lease(stage.database.dsn, f"leaving {turns}")
        await lease.begin()
        heard = asyncio.Event()
        keeping = asyncio.create_task(lease.keep(lambda heard=heard: heard.set() or {}, lambda _: None))
        await heard.wait()
        for _ in range(turns):
            await asyncio.sleep(0)

        assert await lease.end()
        assert not lease.is_open()
        await asyncio.wait_for(keeping, 2)
        assert not lease.is_open()


async def test_a_whole_lease_is_given_anew_when_the_server_was_away(tmp_path: Path) -> None:
    """
    No lease is over before the server has been open for as long as one lasts, however old its first process is.

    A recovery takes as long as it takes, and no sender can renew before its end.
    """
    server = EmbeddedPostgres(tmp_path)
    dsn = await server.start()
    try:
        await migrate(dsn)
        connection = await asyncpg.connect(dsn)
        await until(lambda: connection.fetchval(_IS_OVER), what="the first lease to be over")
        os.kill(await connection.fetchval("SELECT pg_backend_pid()"), signal.SIGKILL)
        connection = await until(lambda: _connect(dsn), what="the server to open again")
        await until(lambda: connection.fetchval(_IS_OVER), what="the leases of before to be over")
        open_for = await connection.fetchval(
            "SELECT clock_timestamp() - backend_start FROM pg_stat_activity WHERE backend_type = 'walwriter'"
        )
        await connection.close()
    finally:
        await server.stop()

    assert LEASE <= open_for < LEASE + dt.timedelta(seconds=5)


_IS_OVER = "SELECT lease_is_over(clock_timestamp() - interval '1 hour')"


async def _connect(dsn: str) -> asyncpg.Connection | None:
    try:
        return await asyncpg.connect(dsn)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return None
