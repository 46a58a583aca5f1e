"""What goes on by itself: beginnings, completions, lifetimes, the last receipts."""

import asyncio
import datetime as dt

from penstock.domain.lifecycle import DispatchStatus, SubmissionOutcome
from penstock.domain.model import Counts, Schedule, SingleMessage
from penstock.domain.outcome import ReceiptStatus
from penstock.engine.messages import Messages
from penstock.engine.sweeper import Sweeper
from penstock.store import facts, sweeps
from penstock.store.facts import Stray
from tests.harness.stage import LIFETIME, Stage, carrier_name


def sweeper(stage: Stage) -> Sweeper:
    """Return a sweeper whose rounds the test makes."""
    return Sweeper(stage.database, stage.stops, lifetime=LIFETIME)


async def moscow_now(stage: Stage) -> dt.datetime:
    """Return the local time of the default zone."""
    [(now,)] = await stage.fetch("SELECT date_trunc('second', now() AT TIME ZONE 'Europe/Moscow')")
    assert isinstance(now, dt.datetime)
    return now


async def outlive_all(stage: Stage) -> None:
    """Let the lifetime of everything be over."""
    await sweeper(stage)._settle()
    await stage.fetch("UPDATE dispatch SET settle_at = clock_timestamp()")
    await sweeper(stage)._outlive()
    await sweeper(stage)._settle()


async def test_what_is_not_sent_by_its_completion_time_is_unsent(stage: Stage) -> None:
    """At the completion time what was not claimed becomes unsent, what was handed over keeps its status."""
    now = await moscow_now(stage)
    schedule = Schedule(use_local_time=False, completion_time=now + dt.timedelta(hours=1))
    dispatch_id = await stage.begin(50, schedule=schedule)
    async with stage.sender() as sender:
        await sender.send(20)
        await stage.fetch("UPDATE dispatch SET completion_time = $1", now - dt.timedelta(seconds=1))
        assert await sender.claim(10) == []
        await sweeper(stage)._expire()

    counts = (await stage.look(dispatch_id)).messages
    assert counts == Counts(total=50, delivered=0, undelivered=0, unsent=30, sent=20, sending=0)
    assert counts == await stage.facts_of(dispatch_id)
    assert await stage.status(dispatch_id) is DispatchStatus.AWAITING
    assert await stage.fetch("SELECT DISTINCT code::integer FROM receipt") == [(7062,)]


async def test_a_pause_lasts_until_the_completion_time_at_most(stage: Stage) -> None:
    """A dispatch that is still paused at its completion time ends by itself."""
    now = await moscow_now(stage)
    schedule = Schedule(use_local_time=False, completion_time=now + dt.timedelta(hours=1))
    dispatch_id = await stage.begin(5, schedule=schedule)
    await stage.stops.pause(stage.caller, dispatch_id)
    await stage.fetch("UPDATE dispatch SET completion_time = $1", now - dt.timedelta(seconds=1))
    await sweeper(stage)._expire()

    assert await stage.status(dispatch_id) is DispatchStatus.DONE
    assert (await stage.look(dispatch_id)).messages.unsent == 5


async def test_a_scheduled_dispatch_begins_by_itself(stage: Stage) -> None:
    """A dispatch waits for its time, and begins when it has come."""
    now = await moscow_now(stage)
    schedule = Schedule(use_local_time=False, send_time=now + dt.timedelta(hours=1))
    dispatch_id = await stage.begin(5, schedule=schedule)
    async with stage.sender() as sender:
        await sweeper(stage)._wake()
        assert await stage.status(dispatch_id) is DispatchStatus.SCHEDULED
        assert await sender.claim(10) == []
        await stage.fetch(
            "UPDATE dispatch SET send_time = $1, wake_at = clock_timestamp() - interval '1 second'",
            now - dt.timedelta(seconds=1),
        )
        await sweeper(stage)._wake()
        assert await stage.status(dispatch_id) is DispatchStatus.SENDING
        assert len(await sender.claim(10)) == 5


async def test_a_dispatch_is_done_with_its_last_receipt(stage: Stage) -> None:
    """A dispatch awaits the receipts of what it sent, and is done when the last has come."""
    dispatch_id = await stage.begin(10)
    async with stage.sender() as sender:
        messages = await sender.send(10)
        await sender.claim(1)
        await sweeper(stage)._settle()
        assert await stage.status(dispatch_id) is DispatchStatus.AWAITING
        sender.receive(messages[:9], ReceiptStatus.DELIVERED)
        await sender.record()
        assert await stage.status(dispatch_id) is DispatchStatus.AWAITING
        sender.receive(messages[9:], ReceiptStatus.UNDELIVERED)
        await sender.record()
        await sweeper(stage)._settle()

    assert await stage.status(dispatch_id) is DispatchStatus.DONE


async def test_receipts_that_never_come_end_with_the_lifetime(stage: Stage) -> None:
    """Messages without a receipt become undelivered when their lifetime is over, those in doubt too."""
    dispatch_id = await stage.begin(10)
    async with stage.sender() as sender:
        await sender.claim(10)
        sender.answer(sender.write(7), SubmissionOutcome.ACCEPTED)
        sender.answer(sender.write(3), SubmissionOutcome.IN_DOUBT)
        await sender.record()
        await sender.claim(1)
        await outlive_all(stage)

    assert await stage.status(dispatch_id) is DispatchStatus.DONE
    counts = (await stage.look(dispatch_id)).messages
    assert counts.undelivered == 10
    assert counts == await stage.facts_of(dispatch_id)


async def test_each_message_outlives_by_itself(stage: Stage) -> None:
    """However large a dispatch is, those of its messages that have no receipt are found, and only those."""
    dispatch_id = await stage.begin(1)
    await stage.fetch("UPDATE dispatch SET messages = 12000, parts = 12000, next_seq = 12001")
    await stage.fetch(
        "INSERT INTO message (dispatch_id, seq, destination, parts) SELECT $1, n, 1, 1"
        " FROM generate_series(2, 12000) AS n",
        dispatch_id,
    )
    await stage.fetch("UPDATE slice SET end_seq = 12001")
    async with stage.sender() as sender:
        for _ in range(3):
            messages = await sender.send(4000)
            sender.receive(messages[1:], ReceiptStatus.DELIVERED)
            await sender.record()
        await sender.claim(1)
        await outlive_all(stage)

    assert (await stage.look(dispatch_id)).messages == Counts(12_000, 11_997, 3, 0, 0, 0)
    assert await stage.status(dispatch_id) is DispatchStatus.DONE


async def test_a_receipt_before_its_message_is_kept(stage: Stage) -> None:
    """A receipt that comes to a sender before another has recorded the message finds it in the end, once."""
    dispatch_id = await stage.begin(1)
    async with stage.sender() as sender:
        [message] = await sender.claim(1)
        now = dt.datetime.now(dt.UTC)
        stray = Stray(carrier_name(message), int(ReceiptStatus.DELIVERED), None, now)
        async with stage.database.connection() as connection:
            await facts.keep_strays(connection, sender.carrier_id, [stray, stray])
        await sweeper(stage)._match_strays()
        assert (await stage.look(dispatch_id)).messages.delivered == 0
        sender.answer(sender.write(1), SubmissionOutcome.ACCEPTED)
        await sender.record()
        await sweeper(stage)._match_strays()

    assert (await stage.look(dispatch_id)).messages.delivered == 1
    assert await stage.fetch("SELECT 1 FROM stray_receipt") == []


async def test_receipts_of_nobody_do_not_hide_others(stage: Stage) -> None:
    """However many receipts are of no message of ours, one that is finds its message after some rounds."""
    await stage.fetch(
        "INSERT INTO stray_receipt (carrier_id, carrier_message_id, status, done_at)"
        " SELECT 1, 'nobody-' || n, 1, now() FROM generate_series(1, 11000) AS n"
    )
    dispatch_id = await stage.begin(1)
    async with stage.sender() as sender:
        [message] = await sender.send(1)
        stray = Stray(carrier_name(message), int(ReceiptStatus.DELIVERED), None, dt.datetime.now(dt.UTC))
        async with stage.database.connection() as connection:
            await facts.keep_strays(connection, sender.carrier_id, [stray])
    sweep = sweeper(stage)
    for _ in range(3):
        await sweep._match_strays()

    assert (await stage.look(dispatch_id)).messages.delivered == 1


async def test_one_process_does_each_round(stage: Stage) -> None:
    """Of many sweepers one at a time works."""
    async with stage.database.connection() as connection:
        await stage.fetch("UPDATE sweep SET next_at = '-infinity'")
        rounds = [await sweeps.take_round(connection) for _ in range(5)]

    assert sum(one is not None for one in rounds) == 1


async def test_a_single_message_that_nobody_takes_expires(stage: Stage) -> None:
    """A single message that was not sent in its lifetime is unsent, others are left alone."""
    messages = Messages(stage.database, default_zone="Europe/Moscow", lifetime=LIFETIME)
    running = asyncio.create_task(messages.run())
    texts = {ttl: single(f"code {ttl}", ttl=ttl) for ttl in (60, 3600, None)}
    try:
        uuids = {ttl: str((await messages.send(stage.caller, [text], None))[0]) for ttl, text in texts.items()}
    finally:
        running.cancel()
    await stage.fetch("UPDATE dispatch SET expires_at = expires_at - interval '61 seconds'")
    await sweeper(stage)._expire()
    found = {ttl: (await messages.view(stage.caller, uuid)).status for ttl, uuid in uuids.items()}

    assert found == {60: "unsent", 3600: "sending", None: "sending"}


def single(content: str, *, ttl: int | None) -> SingleMessage:
    """Return what a client sends by itself."""
    return SingleMessage(
        channel_type="SMS",
        sender_name="shop",
        destination="79160000000",
        content=content,
        schedule=Schedule(use_local_time=False),
        ttl=ttl,
    )
