"""Retention: what is over goes whole, nothing else does, and what is left says what it said."""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator

import asyncpg
import pytest

from penstock.domain.errors import MessageNotFound, MessagesDropped
from penstock.domain.lifecycle import FINAL, DispatchStatus, SubmissionOutcome
from penstock.domain.model import Counts, DispatchFilter, MessageLine, Schedule, SingleMessage
from penstock.domain.outcome import ReceiptStatus
from penstock.domain.uuids import message_uuid
from penstock.engine.messages import Messages
from penstock.engine.retention import Retention
from penstock.engine.sweeper import Sweeper
from penstock.store import facts, retention
from penstock.store.facts import Stray
from tests.harness.stage import LIFETIME, Player, Stage, carrier_name
from tests.harness.waiting import until

DAYS = 90


def retaining(stage: Stage, days: int = DAYS) -> Retention:
    """Return a retention whose rounds the test makes."""
    return Retention(stage.database, days=days, lifetime=LIFETIME)


async def let_all_end(stage: Stage) -> None:
    """Let so much time pass, and so many rounds be made, that what may go is gone."""
    for _ in range(2):
        await stage.let_days_pass(DAYS + 1)
        await retaining(stage).let_go()


async def lines(stage: Stage, dispatch_id: int) -> list[MessageLine]:
    """Export a dispatch."""
    return [line async for page in stage.dispatches.lines(stage.caller, dispatch_id, ()) for line in page]


async def sent(stage: Stage, sender: Player, count: int) -> int:
    """Return a dispatch of which everything was delivered but the last, which was not."""
    dispatch_id = await stage.begin(count)
    messages = await sender.send(count)
    sender.receive(messages[1:], ReceiptStatus.DELIVERED)
    sender.receive(messages[:1], ReceiptStatus.UNDELIVERED)
    await sender.record()
    await Sweeper(stage.database, stage.stops, lifetime=LIFETIME)._settle()
    assert await stage.status(dispatch_id) is DispatchStatus.DONE
    return dispatch_id


async def partitions(stage: Stage, dispatch_id: int) -> int:
    """Count the tables that hold the facts of a dispatch's period."""
    first = dispatch_id // 10**9 * 10**9
    [(count,)] = await stage.fetch(
        "SELECT count(*) FROM pg_class WHERE relkind = 'r' AND relname = ANY($1)",
        [f"{fact}_{first}" for fact in ("message", "submission", "receipt")],
    )
    assert isinstance(count, int)
    return count


async def test_only_totals_are_left_of_what_is_over(stage: Stage) -> None:
    """Long after the end the messages are gone from the disk, and the list shows the same counters as before."""
    async with stage.sender() as first, stage.sender() as second:
        ids = [await sent(stage, first, 5), await sent(stage, second, 7)]
    before = await stage.dispatches.find(stage.caller, DispatchFilter())
    await let_all_end(stage)

    assert [await partitions(stage, one) for one in ids] == [0, 0]
    assert await stage.dispatches.find(stage.caller, DispatchFilter()) == before
    assert await stage.fetch("SELECT dispatch_id, sender_id, accepted FROM tally ORDER BY dispatch_id") == [
        (ids[0], 0, 5),
        (ids[1], 0, 7),
    ]


async def test_the_account_of_a_stop_outlives_the_messages(stage: Stage) -> None:
    """The stop receipt is the same after the messages have gone, the ids in doubt too."""
    dispatch_id = await stage.begin(20)
    async with stage.sender() as sender:
        await sender.claim(10)
        sender.answer(sender.write(6), SubmissionOutcome.ACCEPTED)
        await sender.record()
        await sender.presume_dead()
        await stage.stops.stop(stage.caller, dispatch_id)
    before = await stage.stops.receipt(stage.caller, dispatch_id)
    await stage.fetch("UPDATE dispatch SET settle_at = clock_timestamp() WHERE settle_at IS NOT NULL")
    await Sweeper(stage.database, stage.stops, lifetime=LIFETIME)._outlive()
    await let_all_end(stage)

    assert await partitions(stage, dispatch_id) == 0
    assert len(before.in_doubt) == 4
    assert await stage.stops.receipt(stage.caller, dispatch_id) == before


async def test_what_is_gone_is_said_to_be_gone(stage: Stage) -> None:
    """An export says that the messages are no longer kept, and a message is not found."""
    async with stage.sender() as sender:
        dispatch_id = await sent(stage, sender, 3)
    await let_all_end(stage)

    with pytest.raises(MessagesDropped):
        await lines(stage, dispatch_id)
    messages = Messages(stage.database, default_zone="Europe/Moscow", lifetime=LIFETIME)
    uuid = message_uuid(dispatch_id, 1)
    with pytest.raises(MessageNotFound):
        await messages.view(stage.caller, uuid)
    assert await messages.stop(stage.caller, [uuid]) == [404]


async def test_an_export_that_is_overtaken_breaks_off(stage: Stage) -> None:
    """An export under way when the messages go does not end as if it were whole."""
    async with stage.sender() as sender:
        dispatch_id = await sent(stage, sender, 3)
    await stage.fetch("UPDATE dispatch SET next_seq = 20000")
    pages = stage.dispatches.lines(stage.caller, dispatch_id, ())
    assert len(await anext(pages)) == 3
    await let_all_end(stage)

    with pytest.raises(MessagesDropped):
        await anext(pages)


async def test_single_messages_go_with_their_dispatches(stage: Stage) -> None:
    """Of single messages nothing is left, and no id that was drawn before is used after."""
    messages = Messages(stage.database, default_zone="Europe/Moscow", lifetime=LIFETIME)
    running = asyncio.create_task(messages.run())
    message = SingleMessage(
        channel_type="SMS", sender_name="shop", destination="79160000000", content="code 1234",
        schedule=Schedule(use_local_time=False),
    )  # fmt: skip
    try:
        [uuid] = await messages.send(stage.caller, [message], None)
        async with stage.sender() as sender:
            sender.receive(await sender.send(1), ReceiptStatus.DELIVERED)
            await sender.record()
        await Sweeper(stage.database, stage.stops, lifetime=LIFETIME)._settle()
        await let_all_end(stage)
        with pytest.raises(MessageNotFound):
            await messages.view(stage.caller, str(uuid))
        assert await stage.fetch("SELECT 1 FROM dispatch UNION ALL SELECT 1 FROM tally") == []
        messages._drawn_at -= 61  # what a minute does
        [uuid] = await messages.send(stage.caller, [message], None)
        assert (await messages.view(stage.caller, str(uuid))).status == "sending"
    finally:
        running.cancel()


@pytest.fixture
async def unfinished(stage: Stage, status: DispatchStatus) -> AsyncIterator[int]:
    """Make a dispatch of three messages that stands at a status, beside one that is over."""
    async with stage.sender() as sender:
        await sent(stage, sender, 3)
        dispatch_id = await stage.begin(3)
        await stage.fetch(
            "UPDATE dispatch SET status = $2, changing_to = CASE WHEN $2 = 'changing' THEN 'stopped' END,"
            " halt_requested_at = now(), halt_key_id = 1 WHERE id = $1",
            dispatch_id,
            status.value,
        )
        yield dispatch_id


@pytest.mark.anyio
@pytest.mark.parametrize("status", sorted(set(DispatchStatus) - FINAL - {DispatchStatus.INITIATED}))
async def test_what_is_not_over_stays(stage: Stage, unfinished: int, status: DispatchStatus) -> None:
    """A message of a dispatch that is not final is never dropped, however old it is."""
    await let_all_end(stage)

    assert await partitions(stage, unfinished) == 3
    assert await stage.status(unfinished) is status
    assert len(await lines(stage, unfinished)) == 3


async def test_a_stopped_dispatch_stays_until_its_receipts_have_come(stage: Stage) -> None:
    """After a stop the messages stay as long as a receipt may come."""
    dispatch_id = await stage.begin(10)
    async with stage.sender() as sender:
        messages = await sender.send(4)
        await stage.stops.stop(stage.caller, dispatch_id)
        await let_all_end(stage)
        sender.receive(messages, ReceiptStatus.DELIVERED)
        await sender.record()

    assert (await stage.look(dispatch_id)).messages == Counts(10, 4, 0, 6, 0, 0)


async def test_what_ended_lately_stays(stage: Stage) -> None:
    """Messages are kept for the whole time after their period was seen to be over."""
    async with stage.sender() as sender:
        dispatch_id = await sent(stage, sender, 3)
    await stage.let_days_pass(DAYS + 1)
    await retaining(stage).let_go()
    await stage.let_days_pass(DAYS - 1)
    await retaining(stage).let_go()

    assert len(await lines(stage, dispatch_id)) == 3


async def test_retention_can_be_switched_off(stage: Stage) -> None:
    """With a retention of 0 days nothing goes, and no dispatch is ended for its age."""
    async with stage.sender() as sender:
        dispatch_id = await sent(stage, sender, 3)
    draft = await stage.create()
    for _ in range(2):
        await stage.let_days_pass(10_000)
        await retaining(stage, days=0).let_go()

    assert len(await lines(stage, dispatch_id)) == 3
    assert await stage.status(draft) is DispatchStatus.INITIATED


async def test_one_that_does_not_end_keeps_its_own_period_only(stage: Stage) -> None:
    """A dispatch that is sent for ever does not hold back those of other periods."""
    endless = await stage.begin(3)
    await stage.let_days_pass(0)
    async with stage.sender() as sender:
        await stage.fetch("UPDATE dispatch SET wake_at = 'infinity' WHERE id = $1", endless)
        dispatch_id = await sent(stage, sender, 3)
        await let_all_end(stage)

    assert [await partitions(stage, one) for one in (endless, dispatch_id)] == [3, 0]


async def test_a_draft_that_nobody_started_ends(stage: Stage) -> None:
    """A dispatch that was filled and forgotten is done, with its messages unsent, and goes in its time."""
    draft = await stage.create()
    await stage.fill(draft, 5)
    await stage.let_days_pass(DAYS + 1)
    await retaining(stage).let_go()
    unsent = Counts(5, 0, 0, 5, 0, 0)

    assert await stage.status(draft) is DispatchStatus.DONE
    assert (await stage.look(draft)).messages == await stage.facts_of(draft) == unsent
    async with stage.sender() as sender:
        assert await sender.claim(10) == []
    await let_all_end(stage)
    assert (await partitions(stage, draft), (await stage.look(draft)).messages) == (0, unsent)


async def test_a_pause_that_nobody_ends_ends(stage: Stage) -> None:
    """A dispatch that was paused and forgotten ends: what was never sent is unsent."""
    dispatch_id = await stage.begin(10)
    async with stage.sender() as sender:
        messages = await sender.send(4)
        sender.receive(messages, ReceiptStatus.DELIVERED)
        await sender.record()
        await stage.stops.pause(stage.caller, dispatch_id)
        await stage.fetch("UPDATE dispatch SET halt_requested_at = halt_requested_at - interval '91 days'")
        await stage.let_days_pass(DAYS + 1)
        await retaining(stage).let_go()

    assert await stage.status(dispatch_id) is DispatchStatus.DONE
    assert (await stage.look(dispatch_id)).messages == Counts(10, 4, 0, 6, 0, 0) == await stage.facts_of(dispatch_id)


async def test_a_receipt_that_comes_after_all_breaks_nothing(stage: Stage) -> None:
    """A receipt for a message that is no longer kept is taken, whether its sender still knows the message or not."""
    async with stage.sender() as sender:
        dispatch_id = await stage.begin(1)
        messages = await sender.send(1)
        sender.receive(messages, ReceiptStatus.DELIVERED)
        await sender.record()
        sweeper = Sweeper(stage.database, stage.stops, lifetime=LIFETIME)
        await sweeper._settle()
        await let_all_end(stage)
        sender.receive(messages, ReceiptStatus.UNDELIVERED)
        await sender.record()
        stray = Stray(carrier_name(messages[0]), int(ReceiptStatus.DELIVERED), None, dt.datetime.now(dt.UTC))
        async with stage.database.connection() as connection:
            assert await facts.find_submissions(connection, sender.carrier_id, [carrier_name(messages[0])]) == {}
            await facts.keep_strays(connection, sender.carrier_id, [stray])
        await sweeper._match_strays()

    assert (await stage.look(dispatch_id)).messages == Counts(1, 1, 0, 0, 0, 0)
    assert await stage.fetch("SELECT count(*) FROM stray_receipt") == [(1,)]


async def test_whoever_comes_next_goes_on(stage: Stage) -> None:
    """What one process began to drop when it was killed, the next one finishes."""
    async with stage.sender() as sender:
        dispatch_id = await sent(stage, sender, 3)
    await stage.let_days_pass(DAYS + 1)
    await retaining(stage).let_go()
    await stage.let_days_pass(DAYS + 1)
    async with stage.database.connection() as connection:
        assert await retention.mark_dropped(connection, dt.timedelta(days=DAYS))
    # Somebody reads the table: the detaching cannot end, and is broken off between its two halves.
    reader = await asyncpg.connect(stage.database.dsn)
    transaction = reader.transaction()
    await transaction.start()
    await reader.execute("SELECT FROM message LIMIT 1")
    dropping = asyncio.create_task(retaining(stage).let_go())
    await until(lambda: stage.fetch("SELECT 1 FROM pg_inherits WHERE inhdetachpending"), what="the first half")
    await stage.fetch(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE application_name = 'penstock retention' AND datname = current_database()"
    )
    await asyncio.wait((dropping,))
    assert dropping.exception() is not None
    await transaction.rollback()
    await reader.close()
    assert await partitions(stage, dispatch_id) == 3
    await retaining(stage).let_go()

    assert await partitions(stage, dispatch_id) == 0


async def test_messages_come_back_if_their_dispatch_is_not_over(stage: Stage) -> None:
    """Should a dispatch turn up in a period that was marked as over, its messages are not dropped."""
    async with stage.sender() as sender:
        dispatch_id = await sent(stage, sender, 3)
    await stage.let_days_pass(DAYS + 1)
    await retaining(stage).let_go()
    await stage.let_days_pass(DAYS + 1)
    await stage.fetch("UPDATE dispatch SET status = 'paused', finished_at = NULL WHERE id = $1", dispatch_id)
    await retaining(stage).let_go()

    assert len(await lines(stage, dispatch_id)) == 3
    assert await partitions(stage, dispatch_id) == 3


async def test_nobody_waits_while_partitions_go(stage: Stage) -> None:
    """A sender claims and records, and a client fills, while a partition is being detached."""
    async with stage.sender() as sender:
        old = await sent(stage, sender, 3)
        await stage.let_days_pass(DAYS + 1)
        await retaining(stage).let_go()
        await stage.let_days_pass(DAYS + 1)
        reader = await asyncpg.connect(stage.database.dsn)
        transaction = reader.transaction()
        await transaction.start()
        await reader.execute("SELECT FROM message LIMIT 1")
        dropping = asyncio.create_task(retaining(stage).let_go())
        await until(lambda: stage.fetch("SELECT 1 FROM pg_inherits WHERE inhdetachpending"), what="the first half")
        async with asyncio.timeout(4):  # less than the detaching itself waits
            present = await stage.begin(10)
            await sender.send(10)
            assert len(await lines(stage, present)) == 10
        await transaction.rollback()
        await reader.close()
        await asyncio.wait((dropping,))
    await retaining(stage).let_go()

    assert await partitions(stage, old) == 0


async def test_periods_begin_by_age_and_by_size(stage: Stage) -> None:
    """A period that is a tenth of the retention old, or large, is followed by the next; an empty one is not."""
    retention = retaining(stage)
    await stage.let_days_pass(0)
    await stage.fetch("UPDATE period SET opened_at = opened_at - interval '10 days'")
    assert await retention.begin_period() is None
    first = await stage.create()
    assert await retention.begin_period(largest=10**9) is not None
    second = await stage.create()
    assert await retention.begin_period() is None
    await stage.fill(second, 1)
    assert await retention.begin_period(largest=0) is not None
    third = await stage.create()

    assert first // 10**9 < second // 10**9 < third // 10**9


async def test_old_and_new_dispatches_are_filled_side_by_side(stage: Stage) -> None:
    """A dispatch that was made before a new period began is filled and sent as any other."""
    old = await stage.create()
    await stage.let_days_pass(0)
    new = await stage.create()
    for dispatch_id in (old, new):
        await stage.fill(dispatch_id, 3)
        await stage.dispatches.start(stage.caller, dispatch_id)
    async with stage.sender() as sender:
        messages = await sender.send(6)

    assert {message.dispatch_id for message in messages} == {old, new}


async def test_it_goes_on_by_itself(stage: Stage) -> None:
    """Whoever runs the retention need not call it: it looks at once, and from then on."""
    async with stage.sender() as sender:
        dispatch_id = await sent(stage, sender, 3)
    await stage.let_days_pass(DAYS + 1)
    await retaining(stage).let_go()
    await stage.let_days_pass(DAYS + 1)
    running = asyncio.create_task(retaining(stage).run())
    try:

        async def is_gone() -> bool:
            return await partitions(stage, dispatch_id) == 0

        await until(is_gone, what="the partitions to go")
    finally:
        running.cancel()


async def test_small_tables_are_emptied(stage: Stage) -> None:
    """Senders that ended, and answers that nobody asks for any more, are forgotten after a day."""
    async with stage.sender() as sender:
        pass
    await stage.fetch("UPDATE sender SET ended_at = clock_timestamp() - interval '25 hours'")
    await stage.fetch(
        "INSERT INTO idempotency (account_id, key, digest, answer, created_at)"
        " SELECT id, 'k', '', '', now() - interval '25 hours' FROM account"
    )
    await retaining(stage).tidy()

    assert await stage.fetch("SELECT id FROM sender WHERE id = $1", sender.sender_id) == []
    assert await stage.fetch("SELECT 1 FROM idempotency") == []
