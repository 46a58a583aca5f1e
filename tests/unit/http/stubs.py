"""
Services that answer as a test tells them to, for what never reaches the real ones.
"""

import base64
from collections.abc import AsyncIterator

import httpx

from penstock.domain.model import Caller, MessageLine
from penstock.http.app import build
from penstock.http.limits import Limits
from penstock.http.service import Services

KEY = base64.b64encode(b"1:secret").decode()


class OneKey:
    """Knows one key of kind 1."""

    async def authenticate(self, key_id: int, secret: str, *, look: bool = True) -> Caller | None:  # noqa: ARG002
        """Return its caller."""
        return Caller(1, 1, 1, 1) if (key_id, secret) == (1, "secret") else None


class FailingDispatches:
    """Raises what it is given, at once or in the middle of an export."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def start(self, *_asked: object) -> None:
        """Fail."""
        raise self._error

    async def lines(self, *_asked: object) -> AsyncIterator[list[MessageLine]]:
        """Yield one message, then fail."""
        yield [MessageLine("uuid", "79990001122", "sent", None, 1, None, None)]
        raise self._error


def client_of(error: Exception, *, metrics=None) -> httpx.AsyncClient:
    """Be a client of an application whose dispatches fail with *error*."""
    services = Services(OneKey(), FailingDispatches(error), None, None, None)
    transport = httpx.ASGITransport(build(services, Limits(), metrics))
    return httpx.AsyncClient(
        transport=transport, base_url="http://penstock.test", headers={"Authorization": f"Bearer {KEY}"}
    )
