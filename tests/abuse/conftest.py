"""
The application on a real, empty database, asked from any address.
"""

import contextlib
from collections.abc import AsyncIterator, Callable

import httpx
import pytest
from starlette.types import ASGIApp

from penstock.store import keys
from tests.harness.stage import Stage
from tests.wire.conftest import ZONE, application, database, dsn, server, stage

__all__ = ["application", "database", "dsn", "server", "stage"]

#: Makes a client that asks from an address.
ClientAt = Callable[[str], httpx.AsyncClient]


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
