"""An empty database for each test."""

from collections.abc import AsyncIterator, Iterator

import pytest

from penstock.store.database import Database
from tests.harness.postgres import Server, running_server
from tests.harness.stage import Stage


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run one PostgreSQL for all tests."""
    with running_server(tmp_path_factory.mktemp("postgres")) as server:
        yield server


@pytest.fixture
async def dsn(server: Server) -> str:
    """Empty the database that tests share."""
    await server.empty()
    return server.shared


@pytest.fixture
async def database(dsn: str) -> AsyncIterator[Database]:
    """Connect to it."""
    database = await Database.connect(dsn, size=16)
    yield database
    await database.close()


@pytest.fixture
async def stage(database: Database) -> AsyncIterator[Stage]:
    """Set it up with an account."""
    stage = await Stage.set_up(database)
    yield stage
    await stage.strike()
