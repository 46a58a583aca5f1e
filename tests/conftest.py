"""
What every test gets: coroutine tests run on asyncio, and the network is closed but for loopback.
"""

import ipaddress
import socket
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Run coroutine tests on asyncio only."""
    return "asyncio"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tell in the report which tests ran against a program that is not ours: CI counts them."""
    for item in items:
        if item.get_closest_marker("peer"):
            item.user_properties.append(("peer", "yes"))


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
