"""
The application on a real, empty database, asked from any address.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import httpx
import pytest
from starlette.types import ASGIApp

from penstock.engine.keys import Keys
from penstock.engine.messages import Messages
from penstock.http.app import build
from penstock.http.service import Services
from penstock.store import keys
from tests.harness.stage import LIFETIME, Stage
from tests.wire.conftest import LIMITS, ZONE, database, server, stage

__all__ = ["database", "server", "stage"]

#: Makes a client that asks from an address.
ClientAt = Callable[[str], httpx.AsyncClient]


@pytest.fixture
async def application(stage: Stage) -> AsyncIterator[ASGIApp]:
    """Build it, and let it store single messages."""
    single = Messages(stage.database, default_zone=ZONE, lifetime=LIFETIME)
    services = Services(Keys(stage.database), stage.dispatches, stage.stops, stage.filling, single)
    storing = asyncio.create_task(single.run())
    yield build(services, LIMITS)
    storing.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await storing


@pytest.fixture
async def client_at(application: ASGIApp) -> AsyncIterator[ClientAt]:
    """Ask it without a socket between."""
    async with contextlib.AsyncExitStack() as open_clients:
        clients: list[httpx.AsyncClient] = []

        def make(address: str) -> httpx.AsyncClient:
            transport = httpx.ASGITransport(application, client=(address, 40_000))
            clients.append(httpx.AsyncClient(transport=transport, base_url="http://penstock.test"))
            open_clients.push_async_callback(clients[-1].aclose)
            return clients[-1]

        yield make


async def make_key(stage: Stage, account: str | None = None, kind: int = 1) -> str:
    """Make a key of the account of the stage, or of one that is made."""
    async with stage.database.connection() as connection:
        account_id, center_id = stage.caller.account_id, stage.caller.traffic_center_id
        if account is not None:
            account_id = await keys.create_account(connection, account, ZONE)
            center_id = await keys.find_or_create_traffic_center(connection, account_id, "main")
        return await keys.create_key(connection, account_id, kind, center_id)
