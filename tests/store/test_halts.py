"""Halts: what a stop has counted is so, for ever."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import asyncpg
import pytest

from penstock.domain.errors import InappropriateStatus
from penstock.domain.lifecycle import DispatchStatus, SubmissionOutcome
from penstock.domain.outcome import ReceiptStatus
from penstock.engine.lease import LeaseLost, clock
from tests.harness.stage import Player, Stage
from tests.harness.waiting import until, until_true


async def stop_heard_by(stage: Stage, dispatch_id: int, *senders: Player) -> "asyncio.Task[None]":
    """Begin a stop, let the senders hear of it, and return the call."""
    stop = asyncio.create_task(stage.stops.stop(stage.caller, dispatch_id))
    while await stage.status(dispatch_id) is not DispatchStatus.CHANGING:
        assert not stop.done()
        await asyncio.sleep(0)
    for sender in senders:
        await sender.beat()
    return stop


async def test_a_stop_waits_for_answers_of_the_living(stage: Stage) -> None:
    """While a living sender waits for an answer the stop does not return."""
    dispatch_id = await stage.begin(10)
    async with stage.sender() as sender:
        await sender.claim(6)
        written = sender.write(2)
        stop = await stop_heard_by(stage, dispatch_id, sender)
        await sender.record()
        assert not stop.done()
        assert await stage.status(dispatch_id) is DispatchStatus.CHANGING
        sender.answer(written, SubmissionOutcome.ACCEPTED)
        await sender.record()
        await stop
    receipt = await stage.stops.receipt(stage.caller, dispatch_id)

    assert (receipt.counts.accepted, receipt.counts.never_sent, receipt.total) == (2, 8, 10)


async def test_the_receipt_adds_up(stage: Stage) -> None:
    """The receipt divides the dispatch into accepted, refused, in doubt and never sent, by carrier too."""
    dispatch_id = await stage.begin(100)
    dead = await stage.enter()
    await dead.claim(15)
    dead.answer(dead.write(5), SubmissionOutcome.ACCEPTED)
    await dead.record()
    async with stage.sender() as sender:
        await sender.claim(20)
        sender.answer(sender.write(8), SubmissionOutcome.ACCEPTED)
        sender.answer(sender.write(4), SubmissionOutcome.REJECTED)
        sender.answer(sender.write(3), SubmissionOutcome.IN_DOUBT)
        await dead.die()
        stop = await stop_heard_by(stage, dispatch_id, sender)
        await sender.record()
        await stop
        receipt = await stage.stops.receipt(stage.caller, dispatch_id)

    assert receipt.total == 100
    assert receipt.counts.accepted == 13
    assert receipt.counts.refused == 4
    assert receipt.counts.in_doubt == 13
    assert receipt.counts.never_sent == 70
    assert len(receipt.in_doubt) == 13
    assert [(one.carrier, one.accepted, one.refused, one.in_doubt) for one in receipt.carriers] == [
        ("main", 13, 4, 3),
        (None, 0, 0, 10),
    ]
    assert receipt.late == 0


async def test_the_receipt_does_not_change(stage: Stage) -> None:
    """Delivery receipts that come after a stop change the counters of the dispatch, not the account of the stop."""
    dispatch_id = await stage.begin(10)
    async with stage.sender() as sender:
        messages = await sender.send(6)
        await stage.stops.stop(stage.caller, dispatch_id)
        before = await stage.stops.receipt(stage.caller, dispatch_id)
        sender.receive(messages[:4], ReceiptStatus.DELIVERED)
        sender.receive(messages[:5], ReceiptStatus.UNDELIVERED)
        await sender.record()

    assert await stage.stops.receipt(stage.caller, dispatch_id) == before
    counts = (await stage.look(dispatch_id)).messages
    assert (counts.delivered, counts.undelivered, counts.sent, counts.unsent) == (4, 1, 1, 4)


async def test_recording_and_stopping_race(stage: Stage) -> None:
    """An outcome that is recorded while its sender is given up counts once: as recorded, or as in doubt."""
    for accepted_first in range(8):
        dispatch_id = await stage.begin(50)
        sender = await stage.enter()
        await sender.claim(50)
        written = sender.write(30)
        await sender.presume_dead()
        sender.answer(written, SubmissionOutcome.ACCEPTED)

        async def record(sender: Player = sender) -> bool:
            try:
                await sender.record()
            except LeaseLost:
                return False
            return True

        async def stop(dispatch_id: int = dispatch_id, delay: int = accepted_first) -> None:
            for _ in range(delay):
                await asyncio.sleep(0)
            await stage.stops.stop(stage.caller, dispatch_id)

        recorded, _ = await asyncio.gather(record(), stop())
        sender.leave_off()
        receipt = await stage.stops.receipt(stage.caller, dispatch_id)
        counts = await stage.facts_of(dispatch_id)

        assert (receipt.counts.accepted, receipt.counts.in_doubt) == ((30, 20) if recorded else (0, 50))
        assert counts == (await stage.look(dispatch_id)).messages


async def test_a_sender_taken_for_dead_gives_up(stage: Stage) -> None:
    """A sender whose claims were taken over records nothing of them and ends."""
    dispatch_id = await stage.begin(10)
    async with stage.sender() as sender:
        await sender.claim(10)
        written = sender.write(10)
        await sender.presume_dead()
        await stage.stops.stop(stage.caller, dispatch_id)
        sender.answer(written, SubmissionOutcome.ACCEPTED)
        with pytest.raises(LeaseLost):
            await sender.record()
    receipt = await stage.stops.receipt(stage.caller, dispatch_id)

    assert not sender.lease.is_open()
    assert (receipt.counts.in_doubt, receipt.counts.accepted, receipt.late) == (10, 0, 0)


async def test_writing_after_a_stop_is_told(stage: Stage) -> None:
    """Were a message ever written after the stop had taken effect, the receipt would say so."""
    dispatch_id = await stage.begin(10)
    async with stage.sender() as sender:
        await sender.claim(10)
        await sender.presume_dead()
        await stage.stops.stop(stage.caller, dispatch_id)
        written = sender.write(4)
        written[0].ticket.writes.append((clock(), len(written)))
        sender.answer(written, SubmissionOutcome.ACCEPTED)
        with pytest.raises(LeaseLost):
            await sender.record()
        assert await sender.tell_late() == 4

    assert (await stage.stops.receipt(stage.caller, dispatch_id)).late == 4


async def test_a_pause_does_not_join_a_stop(stage: Stage) -> None:
    """Who asks for a pause while a stop is under way hears that it cannot be had."""
    dispatch_id = await stage.begin(10)
    async with stage.sender() as sender:
        await sender.claim(2)
        written = sender.write(2)
        stop = await stop_heard_by(stage, dispatch_id, sender)
        with pytest.raises(InappropriateStatus):
            await stage.stops.pause(stage.caller, dispatch_id)
        sender.answer(written, SubmissionOutcome.ACCEPTED)
        await sender.record()
        await stop


async def test_calls_to_stop_join(stage: Stage) -> None:
    """Who stops what is being stopped waits with the first and gets the same answer."""
    dispatch_id = await stage.begin(10)
    async with stage.sender() as sender:
        await sender.claim(2)
        written = sender.write(2)
        first = await stop_heard_by(stage, dispatch_id, sender)
        others = [asyncio.create_task(stage.stops.stop(stage.caller, dispatch_id)) for _ in range(3)]
        await until_true(lambda: stage.stops.waiting == 4, what="all callers to join")
        assert not any(one.done() for one in (first, *others))
        sender.answer(written, SubmissionOutcome.ACCEPTED)
        await sender.record()
        await asyncio.gather(first, *others)

    with pytest.raises(InappropriateStatus):
        await stage.stops.stop(stage.caller, dispatch_id)


async def test_a_stop_whose_caller_is_gone_is_finished_by_others(stage: Stage) -> None:
    """A stop goes on when the process that took the call dies in the middle."""
    dispatch_id = await stage.begin(10)
    async with stage.sender() as sender:
        await sender.claim(2)
        written = sender.write(1)
        stop = await stop_heard_by(stage, dispatch_id, sender)
        stop.cancel()
        await asyncio.wait((stop,))
        sender.answer(written, SubmissionOutcome.ACCEPTED)
        await sender.record()
        await stage.stops.finish_unattended()

    assert await stage.status(dispatch_id) is DispatchStatus.STOPPED
    assert (await stage.stops.receipt(stage.caller, dispatch_id)).counts.never_sent == 9


async def test_a_pause_keeps_what_was_never_sent(stage: Stage) -> None:
    """After a pause exactly what was never written is sent."""
    dispatch_id = await stage.begin(20)
    async with stage.sender() as sender:
        await sender.claim(10)
        written = sender.write(4)
        pause = asyncio.create_task(stage.stops.pause(stage.caller, dispatch_id))
        await until(lambda: stage.fetch("SELECT 1 FROM dispatch WHERE status = 'changing'"), what="the pause to begin")
        await sender.beat()
        sender.answer(written, SubmissionOutcome.ACCEPTED)
        await sender.record()
        await pause
        assert await sender.claim(100) == []
        await stage.dispatches.resume(stage.caller, dispatch_id)
        again = [message for _ in range(2) for message in await sender.send(100)]

    assert sorted(message.seq for message in again) == list(range(5, 21))


async def test_a_stop_overrides_a_pause_under_way(stage: Stage) -> None:
    """Who stops a dispatch that is being paused gets it stopped."""
    dispatch_id = await stage.begin(10)
    async with stage.sender() as sender:
        await sender.claim(2)
        written = sender.write(2)
        pause = asyncio.create_task(stage.stops.pause(stage.caller, dispatch_id))
        await until(lambda: stage.fetch("SELECT 1 FROM dispatch WHERE status = 'changing'"), what="the pause to begin")
        stop = asyncio.create_task(stage.stops.stop(stage.caller, dispatch_id))
        await until(
            lambda: stage.fetch("SELECT 1 FROM dispatch WHERE changing_to = 'stopped'"), what="the stop to join"
        )
        sender.answer(written, SubmissionOutcome.ACCEPTED)
        await sender.beat()
        await sender.record()
        await asyncio.gather(pause, stop)

    assert await stage.status(dispatch_id) is DispatchStatus.STOPPED


@contextlib.asynccontextmanager
async def stuck_session(stage: Stage, sender: Player, statement: str, row_id: int) -> AsyncIterator[None]:
    """
    Hold the lock that *statement* takes, as a sender does that was frozen or cut off between two messages.

    Where a statement is prepared and not yet executed, the server calls the session active and ends
    it by no time-out.
    """
    name = f"penstock sender {sender.sender_id}"
    session = await asyncpg.connect(stage.database.dsn, server_settings={"application_name": name})
    try:
        await session.execute("BEGIN")
        await session.fetch(statement, row_id)
        yield
    finally:
        session.terminate()


LOCK_DISPATCH = "SELECT FROM dispatch WHERE id = $1 FOR NO KEY UPDATE"
LOCK_SENDER = "SELECT FROM sender WHERE id = $1 FOR KEY SHARE"


async def test_a_stop_takes_the_dispatch_from_a_sender_that_was_just_claiming(stage: Stage) -> None:
    """A sender that is gone, and has the dispatch locked for its first claim, does not hold up a stop."""
    dispatch_id = await stage.begin(10)
    async with stage.sender() as sender, stuck_session(stage, sender, LOCK_DISPATCH, dispatch_id):
        await sender.presume_dead()
        await stage.stops.stop(stage.caller, dispatch_id)
    receipt = await stage.stops.receipt(stage.caller, dispatch_id)

    assert receipt.counts.never_sent == 10


async def test_a_stop_fences_off_a_sender_that_was_just_claiming_more(stage: Stage) -> None:
    """A sender that is gone, and in whose claim its own row is locked, does not hold up a stop."""
    dispatch_id = await stage.begin(10)
    async with stage.sender() as sender, stuck_session(stage, sender, LOCK_SENDER, sender.sender_id):
        await sender.claim(4)
        await sender.presume_dead()
        await stage.stops.stop(stage.caller, dispatch_id)
    receipt = await stage.stops.receipt(stage.caller, dispatch_id)

    assert (receipt.counts.in_doubt, receipt.counts.never_sent) == (4, 6)


async def test_the_dead_are_buried_whatever_they_have_locked(stage: Stage) -> None:
    """Without a stop, too, a sender that is gone in the middle of a claim is taken for dead."""
    dispatch_id = await stage.begin(10)
    async with stage.sender() as sender, stuck_session(stage, sender, LOCK_SENDER, sender.sender_id):
        await sender.claim(4)
        await sender.presume_dead()
        async with asyncio.timeout(5):
            await stage.stops.bury_dead()

    assert (await stage.facts_of(dispatch_id)).sent == 4
