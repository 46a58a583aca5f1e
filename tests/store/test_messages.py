"""Single messages, whatever becomes of the transactions that store them."""

import asyncio
import contextlib

import msgspec
import pytest
from asyncpg import ForeignKeyViolationError

from penstock.domain.model import Idempotency, Schedule, SingleMessage
from penstock.domain.uuids import parse_message_uuid
from penstock.engine.messages import Messages
from penstock.store.database import Database
from tests.harness.stage import FIRST_DESTINATION, LIFETIME, Stage

_MESSAGE = SingleMessage(
    channel_type="SMS",
    sender_name="shop",
    destination=str(FIRST_DESTINATION),
    content="code 1234",
    schedule=Schedule(use_local_time=False),
)


@pytest.mark.parametrize("is_repeatable", [False, True], ids=["without a key", "with a key"])
async def test_ids_that_a_crash_took_back_are_not_used_again(
    database: Database, stage: Stage, is_repeatable: bool
) -> None:
    """When PostgreSQL forgets in a crash that it handed out ids, two processes still never give the same one."""
    first, second = (Messages(database, default_zone="Europe/Moscow", lifetime=LIFETIME) for _ in range(2))
    nowhere = msgspec.structs.replace(stage.caller, traffic_center_id=-1)
    async with contextlib.AsyncExitStack() as ending:
        for messages in (first, second):
            ending.callback(asyncio.create_task(messages.run()).cancel)
        keys = iter([Idempotency(str(number), b"") for number in range(3)] if is_repeatable else [None] * 3)
        [(before, is_called)] = await stage.fetch("SELECT last_value, is_called FROM dispatch_id")

        with pytest.raises(ForeignKeyViolationError):
            await first.send(nowhere, [_MESSAGE], next(keys))
        await stage.fetch("SELECT setval('dispatch_id', $1, $2)", before, is_called)
        several = [msgspec.structs.replace(_MESSAGE, sender_name=name) for name in ("shop", "bank", "club")]
        uuids = await second.send(stage.caller, several, next(keys))
        uuids += await first.send(stage.caller, [_MESSAGE], next(keys))

    assert len({parse_message_uuid(str(uuid)) for uuid in uuids}) == 4


async def test_clients_that_come_back_share_a_transaction(database: Database, stage: Stage) -> None:
    """Clients that send one message after the other are stored together in each round, not half of them."""
    messages = Messages(database, default_zone="Europe/Moscow", lifetime=LIFETIME)
    running = asyncio.create_task(messages.run())

    async def send_three() -> list[int]:
        uuids = [str((await messages.send(stage.caller, [_MESSAGE], None))[0]) for _ in range(3)]
        return [key[0] for uuid in uuids if (key := parse_message_uuid(uuid))]

    # The second half comes while the first is being stored.
    sending = [asyncio.create_task(send_three()) for _ in range(8)]
    await asyncio.wait(sending, return_when=asyncio.FIRST_COMPLETED, timeout=0)
    sending += [asyncio.create_task(send_three()) for _ in range(8)]
    rounds = await asyncio.gather(*sending)
    running.cancel()

    # Messages of one transaction share their dispatch here, as they share all settings.
    assert len({dispatch_id for ids in rounds for dispatch_id in ids}) <= 5
