"""
The application on an empty database for each case.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from penstock.engine.keys import Keys
from penstock.engine.messages import Messages
from penstock.http.app import build
from penstock.http.limits import Limits
from penstock.http.service import Services
from penstock.store.database import Database
from tests.harness.postgres import Server, running_server
from tests.harness.stage import LIFETIME, Stage

ZONE = "Europe/Moscow"
LIMITS = Limits(max_json_bytes=300_000, max_file_bytes=1_000_000, default_zone=ZONE)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run one PostgreSQL for all cases."""
    with running_server(tmp_path_factory.mktemp("postgres")) as server:
        yield server


@pytest.fixture
async def database(server: Server) -> AsyncIterator[Database]:
    """Empty the database that the cases share, and connect to it."""
    await server.empty()
    database = await Database.connect(server.shared, size=16)
    yield database
    await database.close()


@pytest.fixture
async def stage(database: Database) -> AsyncIterator[Stage]:
    """Set it up with an account."""
    stage = await Stage.set_up(database)
    yield stage
    await stage.strike()


@pytest.fixture
async def wire_client(stage: Stage) -> AsyncIterator[httpx.AsyncClient]:
    """Be a client of the application, without a socket between."""
    single = Messages(stage.database, default_zone=ZONE, lifetime=LIFETIME)
    services = Services(Keys(stage.database), stage.dispatches, stage.stops, stage.filling, single)
    storing = asyncio.create_task(single.run())
    transport = httpx.ASGITransport(build(services, LIMITS))
    async with httpx.AsyncClient(transport=transport, base_url="http://penstock.test") as client:
        yield client
    storing.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await storing
