"""Claims: each message to one sender, never beyond the rate, in a fair order."""

import asyncio
import datetime as dt
from collections import Counter

import pytest

from penstock.domain.lifecycle import DispatchStatus, SubmissionOutcome
from penstock.domain.model import Rate, RateUnit, Schedule, SingleMessage
from penstock.domain.outcome import Outgoing
from penstock.engine.messages import Messages
from penstock.store.database import Database
from tests.harness.stage import LIFETIME, Player, Stage
from tests.harness.waiting import until


async def test_no_message_is_claimed_twice(stage: Stage) -> None:
    """Senders that claim at the same time never get the same message, and together get all."""
    ids = [await stage.begin(700) for _ in range(3)]
    players = [await stage.enter() for _ in range(4)]

    async def claim_all(player: Player) -> list[Outgoing]:
        claimed: list[Outgoing] = []
        misses = 0
        while misses < 20:
            found = await player.claim(97)
            misses = 0 if found else misses + 1
            claimed += found
        return claimed

    claimed = [message for each in await asyncio.gather(*map(claim_all, players)) for message in each]

    assert Counter((one.dispatch_id, one.seq) for one in claimed) == {
        (dispatch_id, seq): 1 for dispatch_id in ids for seq in range(1, 701)
    }


async def test_a_claim_is_written_in_the_database_before_it_is_told(stage: Stage) -> None:
    """What a sender may write is known to the others first."""
    dispatch_id = await stage.begin(10)
    async with stage.sender() as sender:
        await sender.claim(4)
        rows = await stage.fetch("SELECT dispatch_id, first_seq, end_seq, sender_id FROM claim")

    assert rows == [(dispatch_id, 1, 5, sender.sender_id)]


async def test_nothing_is_claimed_once_a_halt_has_begun(stage: Stage) -> None:
    """From the commit of a stop on no claim of the dispatch is made."""
    dispatch_id = await stage.begin(2000)
    players = [await stage.enter() for _ in range(3)]
    halted = asyncio.Event()
    late: list[Outgoing] = []

    async def claim_on(player: Player) -> None:
        for _ in range(60):
            knew = halted.is_set()
            found = await player.claim(10)
            if knew:
                late.extend(found)

    async def halt() -> None:
        await asyncio.sleep(0)
        async with stage.database.transaction() as connection:
            await connection.execute("SELECT 1 FROM dispatch WHERE id = $1 FOR NO KEY UPDATE", dispatch_id)
            await connection.execute(
                "UPDATE dispatch SET status = 'changing', changing_to = 'stopped' WHERE id = $1", dispatch_id
            )
        halted.set()

    await asyncio.gather(halt(), *map(claim_on, players))

    assert late == []


async def test_a_halt_waits_for_a_claim_that_is_being_made(stage: Stage) -> None:
    """A claim either counts as made before the stop or is not made at all."""
    dispatch_id = await stage.begin(10)
    async with stage.database.transaction() as connection:
        await connection.execute("SELECT 1 FROM dispatch WHERE id = $1 FOR NO KEY UPDATE", dispatch_id)
        stop = asyncio.create_task(stage.stops.stop(stage.caller, dispatch_id))
        waiting = (
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
        await until(lambda: _count(stage, waiting), what="the stop to wait")
        assert not stop.done()
    await stop

    assert await stage.status(dispatch_id) is DispatchStatus.STOPPED


async def _count(stage: Stage, query: str) -> int:
    [(count,)] = await stage.fetch(query)
    return int(str(count))


async def test_what_was_not_written_goes_back(stage: Stage) -> None:
    """Giving back returns exactly the messages that were claimed and not written."""
    dispatch_id = await stage.begin(20)
    async with stage.sender() as sender:
        await sender.claim(12)
        written = sender.write(5)
        sender.give_back()
        sender.answer(written, SubmissionOutcome.ACCEPTED)
        await sender.record()
        again = [message for _ in range(3) for message in await sender.claim(100)]

    assert [message.seq for message in written] == [1, 2, 3, 4, 5]
    assert sorted(message.seq for message in again) == list(range(6, 21))
    assert (await stage.look(dispatch_id)).messages.sent == 5


async def test_a_throttled_message_in_the_middle_goes_back_alone(stage: Stage) -> None:
    """What the carrier did not take goes back, its neighbours stay sent."""
    await stage.begin(9)
    async with stage.sender() as sender:
        await sender.claim(9)
        written = sender.write(9)
        middle = [written[3], written[4], written[7]]
        for message in middle:
            sender.written.remove(message)
        sender.outbox.put_back(middle)
        sender.give_back()
        sender.answer([one for one in written if one not in middle], SubmissionOutcome.ACCEPTED)
        await sender.record()
        slices = await stage.fetch("SELECT next_seq, end_seq FROM slice ORDER BY 1")

    assert slices == [(4, 6), (8, 9)]


@pytest.mark.anyio
@pytest.mark.parametrize("value", [1, 40, 1200])
async def test_the_rate_holds_over_all_senders(stage: Stage, value: int) -> None:
    """Three senders that claim as fast as they can never exceed the rate of a dispatch together."""
    await stage.begin(1000, rate=Rate(RateUnit.MINUTE, value))
    players = [await stage.enter() for _ in range(3)]
    begun = dt.datetime.now(dt.UTC)

    async def claim_on(player: Player) -> list[Outgoing]:
        return [message for _ in range(40) for message in await player.claim(300)]

    claimed = sum(map(len, await asyncio.gather(*map(claim_on, players))))
    minutes = (dt.datetime.now(dt.UTC) - begun).total_seconds() / 60

    assert 1 <= claimed <= max(1, value * minutes + max(1, value / 500))


async def test_accounts_share_the_senders(stage: Stage, database: Database) -> None:
    """An account with many dispatches gets no more than its share beside one with a single dispatch."""
    other = await Stage.set_up(database, "second")
    many = [await stage.begin(1000) for _ in range(8)]
    one = await other.begin(1000)
    async with stage.sender() as sender:
        claimed: Counter[int] = Counter()
        while sum(claimed.values()) < 1600:
            claimed.update(message.dispatch_id for message in await sender.claim(32))

    await other.strike()
    assert claimed[one] >= 0.8 * sum(claimed[each] for each in many)


async def test_dispatches_of_one_account_go_round(stage: Stage) -> None:
    """None of several equal dispatches waits for the others to end."""
    ids = [await stage.begin(1000) for _ in range(5)]
    async with stage.sender() as sender:
        claimed: Counter[int] = Counter()
        while sum(claimed.values()) < 1000:
            claimed.update(message.dispatch_id for message in await sender.claim(50))

    assert max(claimed[each] for each in ids) <= 2 * min(claimed[each] for each in ids)


async def test_a_later_dispatch_does_not_starve_the_earlier(stage: Stage) -> None:
    """A dispatch that comes late begins at the present: it is not owed what the others got before."""
    first = await stage.begin(5000)
    async with stage.sender() as sender:
        for _ in range(20):
            await sender.claim(100)
        second = await stage.begin(3000)
        claimed: Counter[int] = Counter()
        for _ in range(20):
            claimed.update(message.dispatch_id for message in await sender.claim(100))

    assert claimed[first] >= 500
    assert claimed[second] >= 500


async def test_a_single_message_goes_before_adverts(stage: Stage, database: Database) -> None:
    """A single message never waits behind a huge dispatch."""
    await stage.begin(3000)
    messages = Messages(database, default_zone="Europe/Moscow", lifetime=LIFETIME)
    storing = asyncio.create_task(messages.run())
    async with stage.sender() as sender:
        await sender.claim(100)
        single = SingleMessage(
            channel_type="SMS",
            sender_name="shop",
            destination="79990000001",
            content="your code is 1234",
            schedule=Schedule(use_local_time=False),
        )
        await messages.send(stage.caller, [single], None)
        claimed = await sender.claim(100)
        first = sender.write(1)
    storing.cancel()

    assert "your code is 1234" in [message.text for message in claimed]
    assert first[0].text == "your code is 1234"


async def test_an_empty_dispatch_sleeps_for_ever(stage: Stage) -> None:
    """Once all is claimed nobody looks at the dispatch again."""
    dispatch_id = await stage.begin(5)
    async with stage.sender() as sender:
        await sender.claim(100)
        rows = await stage.fetch("SELECT wake_at = 'infinity' FROM dispatch WHERE id = $1", dispatch_id)

    assert rows == [(True,)]


async def test_closed_zones_wait_for_their_hour(stage: Stage) -> None:
    """Where it is not an allowed hour now nothing is claimed, and the dispatch sleeps until it is."""
    now = dt.datetime.now(dt.UTC)
    [(hour,)] = await stage.fetch("SELECT extract(hour FROM now() AT TIME ZONE 'Europe/Moscow')::integer")
    later = (int(str(hour)) + 3) % 24
    dispatch_id = await stage.begin(5, schedule=Schedule(use_local_time=False, hours=(later,)))
    async with stage.sender() as sender:
        claimed = await sender.claim(100)
        [(wake_at,)] = await stage.fetch("SELECT wake_at FROM dispatch WHERE id = $1", dispatch_id)

    assert claimed == []
    assert isinstance(wake_at, dt.datetime)
    assert dt.timedelta(hours=2) <= wake_at - now <= dt.timedelta(hours=3)
