"""Filling: whole or not at all, once, and only while the dispatch is being made."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from penstock.domain.errors import IdempotencyConflict, InappropriateStatus
from penstock.domain.lifecycle import DispatchStatus
from penstock.domain.model import Entry, Idempotency, Schedule
from penstock.engine.sweeper import Sweeper
from penstock.store import messages
from tests.harness.stage import FIRST_DESTINATION, LIFETIME, Stage
from tests.harness.waiting import until


def entries(count: int, first: int = FIRST_DESTINATION) -> list[Entry]:
    """Make elements of a fill."""
    return [Entry(str(first + number)) for number in range(count)]


async def rows_of(*batches: Sequence[Entry]) -> AsyncIterator[Sequence[Entry]]:
    """Be a file."""
    for batch in batches:
        yield batch


async def test_a_fill_races_fairly_with_the_start(stage: Stage) -> None:
    """A fill that races with the start is in the dispatch whole, or refused."""
    for _ in range(6):
        dispatch_id = await stage.create()
        await stage.fill(dispatch_id, 5)
        fills = [stage.filling.fill(stage.caller, dispatch_id, entries(50), None) for _ in range(6)]
        start = stage.dispatches.start(stage.caller, dispatch_id)
        *answers, started = await asyncio.gather(*fills[:3], start, *fills[3:], return_exceptions=True)
        answers = [one for one in (*answers, started) if one is not None]
        taken = [one for one in answers if not isinstance(one, BaseException)]

        assert all(isinstance(one, InappropriateStatus | list) for one in answers)
        counts = (await stage.look(dispatch_id)).messages
        assert counts.total == 5 + 50 * len(taken)
        assert await stage.facts_of(dispatch_id) == counts


async def test_twins_of_a_request_are_carried_out_once(stage: Stage) -> None:
    """Requests with one Idempotency-Key that come at the same time fill once and get one answer."""
    dispatch_id = await stage.create()
    once = Idempotency("k", b"digest")
    answers = await asyncio.gather(
        *(stage.filling.fill(stage.caller, dispatch_id, entries(20), once) for _ in range(5))
    )

    assert all(answer == answers[0] for answer in answers)
    assert (await stage.look(dispatch_id)).messages.total == 20


async def test_twins_of_a_creation_make_one_dispatch(stage: Stage) -> None:
    """A creation that is asked for again gives the dispatch of the first time."""
    await stage.create()
    once = Idempotency("k", b"digest")
    draft = stage.draft()
    ids = await asyncio.gather(*(stage.dispatches.create(stage.caller, draft, once) for _ in range(5)))

    assert len(set(ids)) == 1
    assert await stage.fetch("SELECT count(*) FROM dispatch") == [(2,)]


async def test_a_key_cannot_be_used_for_something_else(stage: Stage) -> None:
    """An Idempotency-Key that comes with another request is refused, and nothing is done."""
    dispatch_id = await stage.create()
    await stage.filling.fill(stage.caller, dispatch_id, entries(2), Idempotency("k", b"one"))
    with pytest.raises(IdempotencyConflict):
        await stage.filling.fill(stage.caller, dispatch_id, entries(2), Idempotency("k", b"other"))

    assert (await stage.look(dispatch_id)).messages.total == 2


async def test_a_file_becomes_part_of_the_dispatch_whole(stage: Stage) -> None:
    """A file is in the dispatch when its last row has come, its good rows all of them."""
    dispatch_id = await stage.create()
    file = rows_of(entries(30), [Entry("x"), *entries(4)], entries(6))
    fill = await stage.filling.fill_from(stage.caller, dispatch_id, "in.csv", file, None)

    assert (fill.total, fill.accepted) == (41, 40)
    assert [(error.row, error.destination) for error in fill.errors] == [(31, "x")]
    view = await stage.look(dispatch_id)
    assert (view.messages.total, view.messages.sending, view.base) == (40, 40, "in.csv")
    await stage.dispatches.start(stage.caller, dispatch_id)
    async with stage.sender() as sender:
        claimed = await sender.claim(100)
    assert len(claimed) == 40


async def test_a_broken_file_leaves_nothing(stage: Stage) -> None:
    """A file that breaks off leaves nothing in the dispatch, and nothing in the store."""
    dispatch_id = await stage.create()
    await stage.fill(dispatch_id, 3)

    async def broken() -> AsyncIterator[Sequence[Entry]]:
        yield entries(10)
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await stage.filling.fill_from(stage.caller, dispatch_id, "in.csv", broken(), None)

    assert (await stage.look(dispatch_id)).messages.total == 3
    assert await stage.fetch("SELECT count(*) FROM message") == [(3,)]
    assert await stage.fetch("SELECT 1 FROM upload UNION ALL SELECT 1 FROM upload_run") == []


async def test_a_file_that_is_still_coming_at_the_start_is_refused(stage: Stage) -> None:
    """What starts without the rest of a file sends nothing of the file."""
    dispatch_id = await stage.create()
    await stage.fill(dispatch_id, 3)
    first_stored, go_on = asyncio.Event(), asyncio.Event()

    async def slow() -> AsyncIterator[Sequence[Entry]]:
        yield entries(10)
        first_stored.set()
        await go_on.wait()
        yield entries(10)

    filling = asyncio.create_task(stage.filling.fill_from(stage.caller, dispatch_id, "in.csv", slow(), None))
    await first_stored.wait()
    await stage.dispatches.start(stage.caller, dispatch_id)
    view = (await stage.look(dispatch_id)).messages
    go_on.set()
    with pytest.raises(InappropriateStatus):
        await filling
    async with stage.sender() as sender:
        claimed = await sender.claim(100)

    assert view.total == 3
    assert sorted(message.seq for message in claimed) == [1, 2, 3]
    assert await stage.fetch("SELECT count(*) FROM message") == [(3,)]


async def test_the_file_of_a_dead_process_is_dropped(stage: Stage) -> None:
    """Rows of a file whose process died are deleted after a while."""
    dispatch_id = await stage.create()
    never = asyncio.Event()

    async def endless() -> AsyncIterator[Sequence[Entry]]:
        yield entries(10)
        await never.wait()

    filling = asyncio.create_task(stage.filling.fill_from(stage.caller, dispatch_id, "in.csv", endless(), None))
    await until(lambda: stage.fetch("SELECT 1 FROM upload_run"), what="the first rows")
    await stage.fetch("UPDATE upload SET touched_at = clock_timestamp() - interval '11 minutes'")
    async with stage.database.transaction() as connection:
        dead = await messages.find_dead_uploads(connection)
        for upload_id in dead:
            await messages.give_up_upload(connection, upload_id)
            while await messages.drop_upload(connection, upload_id):
                pass
    filling.cancel()
    await asyncio.wait((filling,))

    assert len(dead) == 1
    assert await stage.fetch("SELECT count(*) FROM message") == [(0,)]


async def test_a_file_that_was_given_up_is_not_taken_in_part(stage: Stage) -> None:
    """A file that was taken for dead while its end was coming is refused, and nothing of it is left."""
    dispatch_id = await stage.create()
    first_stored, go_on = asyncio.Event(), asyncio.Event()

    async def slow() -> AsyncIterator[Sequence[Entry]]:
        yield entries(10)
        first_stored.set()
        await go_on.wait()

    filling = asyncio.create_task(stage.filling.fill_from(stage.caller, dispatch_id, "in.csv", slow(), None))
    await first_stored.wait()
    await stage.fetch("UPDATE upload SET touched_at = clock_timestamp() - interval '11 minutes'")
    await Sweeper(stage.database, stage.stops, lifetime=LIFETIME)._drop_uploads()
    go_on.set()
    with pytest.raises(InappropriateStatus):
        await filling

    assert (await stage.look(dispatch_id)).messages.total == 0
    assert await stage.fetch("SELECT 1 FROM message UNION ALL SELECT 1 FROM upload") == []


async def test_an_empty_dispatch_is_done_at_once(stage: Stage) -> None:
    """A dispatch without messages may be started and is done."""
    dispatch_id = await stage.create()
    await stage.dispatches.start(stage.caller, dispatch_id)

    assert await stage.status(dispatch_id) is DispatchStatus.DONE


async def test_messages_are_sliced_by_zone(stage: Stage) -> None:
    """Where local time matters, numbers of each zone can be claimed apart."""
    dispatch_id = await stage.create(schedule=Schedule(use_local_time=True, hours=tuple(range(24))))
    far_east, moscow = entries(3, 74_232_000_000), entries(3, 74_952_000_000)
    mixed = [entry for pair in zip(far_east, moscow, strict=True) for entry in pair]
    await stage.filling.fill(stage.caller, dispatch_id, mixed, None)
    slices = await stage.fetch("SELECT zone, end_seq - next_seq FROM slice ORDER BY zone")

    assert slices == [("Asia/Vladivostok", 3), ("Europe/Moscow", 3)]
