"""
What the bench asks of a peer, and what it gives to it.

A *way* is one manner of giving messages to one program, such as "Kannel, one message a request".  A
run makes a peer anew for each way: empty folder, fresh carrier, nothing left of the run before.
"""

import contextlib
import socket
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import NamedTuple, Protocol

SENDER = "MyShop"


class Line(NamedTuple):
    """How to reach the carrier, and how much may be outstanding there."""

    host: str
    port: int
    connections: int
    window: int


class Offered(NamedTuple):
    """What became of messages that were given to a peer."""

    accepted: Sequence[int]  #: destinations that it said it would send
    refused: int  #: requests that it answered otherwise, or not at all
    took: float  #: seconds until the last answer


class Peer(Protocol):
    """A program that is running and bound to the carrier."""

    #: First processes of the program; all that is below them counts as its own.
    roots: Sequence[int]

    async def offer(self, numbers: range, until: float) -> Offered:
        """
        Give it a message for each of these destinations, as fast as it takes them; returns after its last answer.

        What was not given by the instant *until*, of the monotonic clock, is left out.
        """

    async def kill(self) -> None:
        """Kill -9 what hands messages to the carrier."""

    async def restart(self) -> None:
        """Bring back what was killed, as an operator or a supervisor does; returns when it can send again."""

    async def named(self, missing: Sequence[int]) -> set[int]:
        """Return those of these destinations of which it says itself that they may not have been sent."""


class Way(NamedTuple):
    """One manner of giving messages to one program."""

    name: str  #: on the command line
    title: str  #: in the table
    how: str  #: a request of how many messages
    durability: str  #: what a message that was accepted survives
    receipts: str  #: what becomes of a delivery receipt
    count: int  #: messages of a run: about ten seconds for it on two cores
    killed: int  #: messages of a run in which it is killed; 0 when there is none
    open: Callable[[Path, Line], AbstractAsyncContextManager[Peer]]


def text_to(number: int) -> str:
    """Return the text for a destination: each has its own, as mass texts do."""
    return f"Hello Maria, code {number % 10_000:04}"


def free_ports(count: int) -> list[int]:
    """Return ports of this machine that nobody listens on now."""
    with contextlib.ExitStack() as stack:
        taken = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in taken:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in taken]
