"""
What every test gets: coroutine tests run on asyncio, and the network is closed but for loopback.
"""

import inspect
import ipaddress
import socket
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Run coroutine tests on asyncio only."""
    return "asyncio"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark coroutine tests, so that none has to say it, and tell peer tests in the report."""
    for item in items:
        if isinstance(item, pytest.Function) and _is_coroutine(item.obj):
            item.add_marker(pytest.mark.anyio)
        if item.get_closest_marker("peer"):
            item.user_properties.append(("peer", "yes"))  # CI counts them in the report


def _is_coroutine(test: object) -> bool:
    inner = getattr(getattr(test, "hypothesis", None), "inner_test", test)
    return inspect.iscoroutinefunction(inner)


def _is_local(address: object) -> bool:
    if not isinstance(address, tuple):
        return True  # a Unix socket
    host = str(address[0])
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return host in {"localhost", ""}


@pytest.fixture(autouse=True, scope="session")
def _closed_network() -> Iterator[None]:
    """Refuse connections of this process that would leave the machine."""
    real = {name: getattr(socket.socket, name) for name in ("connect", "connect_ex")}

    def guard(name: str):
        def connect(self: socket.socket, address: object) -> object:
            if not _is_local(address):
                message = f"a test may connect to loopback only, not to {address!r}"
                raise PermissionError(message)
            return real[name](self, address)

        return connect

    for name in real:
        setattr(socket.socket, name, guard(name))
    yield
    for name, connect in real.items():
        setattr(socket.socket, name, connect)
