"""
A client of the HTTP API: one method for each thing that the command line asks for.
"""

import os
from collections.abc import AsyncIterable, Mapping
from types import TracebackType
from typing import Any, Self, TypeVar

import aiohttp
import msgspec

from penstock.cli.language import t
from penstock.http import shapes

T = TypeVar("T")

_OWN = "/api/penstock/v1"
_DIRECT = "/api/v1"
_CONNECT = 5.0  #: seconds; a server that listens accepts at once
_ANSWER = 90.0  #: seconds; a stop may take 70


class Refused(Exception):
    """The server said no, and why."""

    def __init__(self, status: int, message: str) -> None:
        """Keep what the server said."""
        super().__init__(message)
        self.status = status


class Unreachable(Exception):
    """No server answers at the address, or it went away in the middle."""


class Client:
    """Speaks to one server with one key; an asynchronous context."""

    def __init__(self, url: str, key: str) -> None:
        """Remember the address; nothing is sent before the first call."""
        self._url = url.rstrip("/")
        self._key = key

    async def __aenter__(self) -> Self:
        """Open a pool of connections."""
        self._session = aiohttp.ClientSession(
            headers={"Authorization": f"Basic {self._key}"},
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT, sock_read=_ANSWER),
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        await self._session.close()

    async def create(self, draft: Mapping[str, Any]) -> int:
        """Create a dispatch from the fields of the wire and return its id."""
        answer = await self._call("POST", f"{_DIRECT}/dispatch", json=draft)
        return _read(answer, shapes.DispatchId).dispatch_id

    async def fill(
        self, dispatch_id: int, content: AsyncIterable[bytes], headers: Mapping[str, str], name: str | None
    ) -> shapes.FileAnswer:
        """Stream a file into a dispatch; *headers* say what kind of file it is."""
        answer = await self._call(
            "POST",
            f"{_OWN}/dispatch/{dispatch_id}/messages",
            data=content,
            headers=headers,
            params={} if name is None else {"name": name},
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT),
        )
        return _read(answer, shapes.FileAnswer)

    async def start(self, dispatch_id: int) -> None:
        """Complete the creation of a dispatch and let it leave."""
        await self._call("POST", f"{_DIRECT}/dispatch/{dispatch_id}/start")

    async def stop(self, dispatch_id: int) -> None:
        """Return when nothing more of the dispatch can leave."""
        await self._call("POST", f"{_DIRECT}/dispatch/{dispatch_id}/stop")

    async def pause(self, dispatch_id: int) -> None:
        """Return when nothing more leaves until `resume`."""
        await self._call("POST", f"{_OWN}/dispatch/{dispatch_id}/pause")

    async def resume(self, dispatch_id: int) -> None:
        """Go on with a paused dispatch."""
        await self._call("POST", f"{_OWN}/dispatch/{dispatch_id}/resume")

    async def progress(self, dispatch_id: int) -> shapes.ProgressAnswer:
        """Look at a dispatch."""
        return _read(await self._call("GET", f"{_OWN}/dispatch/{dispatch_id}"), shapes.ProgressAnswer)

    async def receipt(self, dispatch_id: int) -> shapes.ReceiptAnswer:
        """Return the account of a stop."""
        answer = await self._call("GET", f"{_OWN}/dispatch/{dispatch_id}/stop-receipt")
        return _read(answer, shapes.ReceiptAnswer)

    async def find(self, query: list[tuple[str, str]]) -> shapes.DispatchPage:
        """Return one page of the dispatches that fit *query*, newest first."""
        return _read(await self._call("GET", f"{_DIRECT}/dispatch", params=query), shapes.DispatchPage)

    async def _call(self, method: str, path: str, **options: Any) -> bytes:  # noqa: ANN401 - handed to aiohttp
        """Make one request; what is not 2xx is `Refused`, what is no answer is `Unreachable`."""
        try:
            async with self._session.request(method, self._url + path, **options) as response:
                body = await response.read()
                if response.ok:
                    return body
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unreachable(f"{self._url}: {_reason(error)}") from error
        raise Refused(response.status, _complaint(body, response.status))


def _reason(error: Exception) -> str:
    """Say briefly why there is no answer."""
    if isinstance(error, aiohttp.InvalidURL | aiohttp.NonHttpUrlClientError):
        return t("expected an address such as {example}", example="http://127.0.0.1:8080")
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    if isinstance(cause, OSError) and cause.errno is not None and cause.errno > 0:
        return os.strerror(cause.errno)
    return str(error) or type(error).__name__


def _read(answer: bytes, shape: type[T]) -> T:
    try:
        return msgspec.json.decode(answer, type=shape)
    except msgspec.DecodeError as error:
        raise Refused(200, f"the answer is not one of a Penstock server: {error}") from error


def _complaint(body: bytes, status: int) -> str:
    """Return the server's sentence with its code, or what can be said without one."""
    try:
        error = msgspec.json.decode(body, type=shapes.ErrorAnswer).error
    except msgspec.DecodeError:
        return f"HTTP {status}"
    return f"{error.msg} ({error.code})"
