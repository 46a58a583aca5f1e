"""
The application on an empty database for each case.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.types import ASGIApp

from penstock.engine.keys import Keys
from penstock.engine.messages import Messages
from penstock.http.app import build
from penstock.http.limits import Limits
from penstock.http.service import Services
from tests.harness.stage import LIFETIME, Stage
from tests.store.conftest import database, dsn, server, stage

__all__ = ["database", "dsn", "server", "stage"]

ZONE = "Europe/Moscow"
LIMITS = Limits(max_json_bytes=300_000, max_file_bytes=1_000_000, default_zone=ZONE)


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
async def wire_client(application: ASGIApp) -> AsyncIterator[httpx.AsyncClient]:
    """Be a client of the application, without a socket between."""
    transport = httpx.ASGITransport(application)
    async with httpx.AsyncClient(transport=transport, base_url="http://penstock.test") as client:
        yield client
