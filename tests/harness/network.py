"""
Several machines on one: network namespaces, joined by a router whose ways can be cut.

Each host is a namespace with one cable to the router, which is a namespace too; nothing of it
touches the network of the machine.  A cut between two hosts drops what they send each other and
tells neither, as a broken cable does.  All share the machine's clocks.
"""

import contextlib
import ctypes
import itertools
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

_NUMBERS = itertools.count(1)
_CLONE_NEWNET = 0x40000000
_LIBC = ctypes.CDLL(None, use_errno=True)
#: `ip rule` numbers of cuts: before the rules that the system has.
_PREFERENCE = "100"


def why_no_namespaces() -> str:
    """Return why namespaces cannot be made here, empty if they can."""
    if shutil.which("ip") is None:
        return "there is no ip: install the package iproute2"
    if os.geteuid() != 0:
        return "only root may make network namespaces"
    name = f"penstock-{os.getpid()}-probe"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, check=False)
    if made.returncode != 0:
        return f"ip netns add: {made.stderr.strip()}"
    try:
        _ip("-n", name, "rule", "add", "from", "192.0.2.1", "to", "192.0.2.2", "blackhole")
        with entered(name):
            Path("/proc/sys/net/ipv4/ip_forward").write_text("1", encoding="ascii")
    except (OSError, subprocess.CalledProcessError) as error:
        return f"a namespace cannot be made a router: {error}"
    finally:
        _ip("netns", "delete", name)
    return ""


class Network:
    """Hosts, each with an address, and ways between them."""

    def __init__(self, hosts: Sequence[str]) -> None:
        self._prefix = f"penstock-{os.getpid()}-{next(_NUMBERS)}"
        self._router = f"{self._prefix}-router"
        self._address = {host: f"10.77.{place}.2" for place, host in enumerate(hosts, 1)}
        self._cuts: set[tuple[str, str]] = set()

    def address(self, host: str) -> str:
        """Return where the others reach a host."""
        return self._address[host]

    def namespace(self, host: str) -> str:
        """Return the name of a host's namespace."""
        return f"{self._prefix}-{host}"

    def on(self, host: str) -> tuple[str, ...]:
        """Return what to put before a command so that it runs on a host."""
        return ("ip", "netns", "exec", self.namespace(host))

    @contextlib.contextmanager
    def built(self) -> Iterator["Network"]:
        """Make everything, and take it away at the end of the block."""
        try:
            self._make()
            yield self
        finally:
            for name in (self._router, *map(self.namespace, self._address)):
                with contextlib.suppress(subprocess.CalledProcessError):
                    _ip("netns", "delete", name)

    def cut(self, one: str, other: str) -> None:
        """Drop whatever two hosts send each other from now on."""
        self._cuts.add((one, other))
        self._both_ways("add", one, other)

    def isolate(self, host: str) -> None:
        """Cut a host off from all others."""
        for other in self._address.keys() - {host}:
            self.cut(host, other)

    def mend(self) -> None:
        """Let all reach each other again."""
        while self._cuts:
            self._both_ways("delete", *self._cuts.pop())

    def _both_ways(self, verb: str, one: str, other: str) -> None:
        for source, target in ((one, other), (other, one)):
            _ip(
                "-n", self._router, "rule", verb, "from", self._address[source], "to", self._address[target],
                "preference", _PREFERENCE, "blackhole",
            )  # fmt: skip

    def _make(self) -> None:
        _ip("netns", "add", self._router)
        with entered(self._router):
            Path("/proc/sys/net/ipv4/ip_forward").write_text("1", encoding="ascii")
        for host, address in self._address.items():
            name, cable = self.namespace(host), f"to-{address.split('.')[2]}"
            gateway = address.removesuffix("2") + "1"
            _ip("netns", "add", name)
            _ip("-n", self._router, "link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", name)
            for namespace, device, own in ((self._router, cable, gateway), (name, "eth0", address)):
                _ip("-n", namespace, "address", "add", f"{own}/24", "dev", device)
                _ip("-n", namespace, "link", "set", device, "up")
            _ip("-n", name, "link", "set", "lo", "up")
            _ip("-n", name, "route", "add", "default", "via", gateway)


def socket_on(namespace: str, family: int, kind: int, protocol: int) -> socket.socket:
    """Make a socket that stays in a namespace, whoever uses it."""
    with entered(namespace):
        return socket.socket(family, kind, protocol)


@contextlib.contextmanager
def entered(namespace: str) -> Iterator[None]:
    """Move this thread, and what it starts, into a namespace for as long as the block lasts."""
    with Path("/proc/thread-self/ns/net").open("rb") as home:
        _enter(f"/run/netns/{namespace}")
        try:
            yield
        finally:
            _set(home.fileno())


def _enter(path: str) -> None:
    with Path(path).open("rb") as file:
        _set(file.fileno())


def _set(descriptor: int) -> None:
    if _LIBC.setns(descriptor, _CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)
