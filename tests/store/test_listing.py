"""The list of dispatches: what it shows, and how many it says there are."""

import asyncio
import datetime as dt
import json

import msgspec

from penstock.domain.lifecycle import DispatchStatus
from penstock.domain.model import DispatchFilter, Schedule, SingleMessage
from penstock.engine.messages import Messages
from penstock.store import dispatches, keys, sweeps
from tests.harness.plans import touched
from tests.harness.stage import LIFETIME, Stage

#: Dispatches that are moved while somebody looks.
MOVED = 60


async def fold(stage: Stage) -> None:
    """Do what the sweeper does now and then."""
    async with stage.database.connection() as connection:
        await sweeps.fold_counts(connection)


async def total(stage: Stage, wanted: DispatchFilter) -> int:
    """Return how many dispatches the list says there are."""
    return (await stage.dispatches.find(stage.caller, wanted))[0]


async def test_a_list_says_how_many_fit(stage: Stage) -> None:
    """The total counts what fits the filter on all pages, whether counters know it or it has to be counted."""
    sending = [await stage.begin(1) for _ in range(3)]
    drafts = [await stage.create() for _ in range(2)]
    long_ago = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
    for _ in range(2):
        assert await total(stage, DispatchFilter(per_page=2)) == 5
        assert await total(stage, DispatchFilter(statuses=("sending",), per_page=2, page=2)) == 3
        assert await total(stage, DispatchFilter(statuses=("initiated", "stopped"))) == 2
        assert await total(stage, DispatchFilter(statuses=("stopped",))) == 0
        assert await total(stage, DispatchFilter(dispatch_ids=(sending[0], drafts[0]))) == 2
        assert await total(stage, DispatchFilter(name="PRI", statuses=("sending",), per_page=1)) == 3
        assert await total(stage, DispatchFilter(created_from=long_ago)) == 5
        assert await total(stage, DispatchFilter(created_to=long_ago)) == 0
        await fold(stage)


async def test_a_dispatch_is_counted_where_it_stands(stage: Stage) -> None:
    """Through the whole life of a dispatch the totals of all statuses show it once, where it stands."""
    dispatch_id = await stage.create()
    await stage.fill(dispatch_id, 1)
    for act in (
        None, stage.dispatches.start, stage.stops.pause, stage.dispatches.resume, stage.stops.stop,
    ):  # fmt: skip
        if act is not None:
            await act(stage.caller, dispatch_id)
        stands = await stage.status(dispatch_id)
        totals = {one: await total(stage, DispatchFilter(statuses=(one,))) for one in DispatchStatus}

        assert totals == {one: int(one is stands) for one in DispatchStatus}


async def test_pages_follow_each_other(stage: Stage) -> None:
    """The pages of a list show each dispatch that fits once, the newest first, by whatever it is filtered."""
    ids = [await stage.begin(1) for _ in range(5)]
    for wanted in (DispatchFilter(), DispatchFilter(statuses=("sending",)), DispatchFilter(name="spring")):
        seen: list[int] = []
        for page in (1, 2, 3, 4):
            _, views = await stage.dispatches.find(
                stage.caller, DispatchFilter(statuses=wanted.statuses, name=wanted.name, page=page, per_page=2)
            )
            seen += [view.dispatch_id for view in views]

        assert seen == ids[::-1]


async def test_traffic_centers_are_counted_apart(stage: Stage) -> None:
    """The total of a traffic center counts its dispatches alone, and that of an account none of another account."""
    other = await Stage.set_up(stage.database, "second")
    async with stage.database.connection() as connection:
        center_id = await keys.find_or_create_traffic_center(connection, stage.caller.account_id, "branch")
    branch = msgspec.structs.replace(stage.caller, traffic_center_id=center_id)
    for caller in (stage.caller, branch, branch, other.caller):
        await stage.dispatches.create(caller, stage.draft(), None)

    assert await total(stage, DispatchFilter(traffic_center_ids=(center_id,))) == 2
    assert await total(stage, DispatchFilter()) == 3
    assert await total(other, DispatchFilter()) == 1
    await other.strike()


async def test_a_page_looks_at_little_more_than_it_shows(stage: Stage) -> None:
    """The oldest dispatch, the only one with its status, is found without looking at the thousands that are newer."""
    oldest = await stage.create()
    await stage.fetch(
        "INSERT INTO dispatch (account_id, traffic_center_id, name, channel_type, sender_name, content, priority,"
        " use_local_time, default_zone, status, started_at)"
        " SELECT account_id, traffic_center_id, name, channel_type, sender_name, content, priority,"
        " use_local_time, default_zone, 'done', now() FROM dispatch, generate_series(1, 5000)"
    )
    await fold(stage)
    await stage.fetch("ANALYZE dispatch, dispatch_count")
    text, *values = dispatches.SQL.find_dispatches(
        account_id=stage.caller.account_id, statuses=["initiated"], traffic_center_ids=None, most=10, skip=0
    )
    [(plan,)] = await stage.fetch(f"EXPLAIN (ANALYZE, FORMAT JSON) {text}", *values)

    assert touched(json.loads(str(plan))[0]["Plan"]) < 50
    assert (await stage.fetch(text, *values)) == [(1, [oldest])]


async def test_single_messages_are_in_no_list(stage: Stage) -> None:
    """What is sent by itself is not counted among the dispatches."""
    messages = Messages(stage.database, default_zone="Europe/Moscow", lifetime=LIFETIME)
    running = asyncio.create_task(messages.run())
    schedule = Schedule(use_local_time=False)
    text = SingleMessage(
        channel_type="SMS", sender_name="shop", destination="79160000000", content="code", schedule=schedule
    )
    try:
        await messages.send(stage.caller, [text], None)
    finally:
        running.cancel()
        await asyncio.wait([running])

    assert await stage.fetch("SELECT count(*) FROM dispatch") == [(1,)]
    assert await stage.dispatches.find(stage.caller, DispatchFilter()) == (0, [])


async def test_what_moves_on_meanwhile_is_not_shown_with_another_status(stage: Stage) -> None:
    """A list by status shows none that has left it since it was found."""
    dispatch_id = await stage.begin(1)
    async with stage.database.connection() as connection:
        account_id = stage.caller.account_id
        assert await dispatches.look(connection, account_id, [dispatch_id], ["done", "stopped"]) == []
        [(view, _)] = await dispatches.look(connection, account_id, [dispatch_id], ["sending"])

    assert view.status is DispatchStatus.SENDING


async def test_the_total_is_right_at_every_moment(stage: Stage) -> None:
    """While dispatches move on and counters are folded, by two at once, nobody is told a wrong total."""
    waiting = [await stage.create() for _ in range(MOVED)]
    everything = DispatchFilter(per_page=1)
    seen: set[int] = set()
    is_moving = True

    async def look() -> None:
        while is_moving:
            seen.add(await total(stage, everything))

    async def keep_folding() -> None:
        while is_moving:
            await fold(stage)

    async def move(mine: list[int]) -> None:
        for dispatch_id in mine:
            # One without messages is done at once.
            await stage.dispatches.start(stage.caller, dispatch_id)

    async with asyncio.TaskGroup() as group:
        for _ in range(2):
            group.create_task(look())
            group.create_task(keep_folding())
        await asyncio.gather(move(waiting[::2]), move(waiting[1::2]))
        is_moving = False
    await fold(stage)

    assert seen == {MOVED}
    assert await stage.fetch("SELECT status, change FROM dispatch_count") == [("done", MOVED)]
