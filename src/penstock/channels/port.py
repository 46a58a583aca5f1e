"""
The one port of Penstock: what the engine asks of a connection to a carrier.

A link calls its events from the event loop, in batches, and never awaits between looking at the
gate and writing to its socket.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from penstock.domain.outcome import Outcome, Outgoing, Receipt

#: True while this process may write.  Looked at immediately before each write, with no await between.
Gate = Callable[[], bool]


class Link(Protocol):
    """One connection to one carrier."""

    carrier: str  #: the carrier's name in the settings
    wrote_at: float  #: when `submit` last wrote something, on the clock that the link was given

    @property
    def is_up(self) -> bool:
        """Whether the carrier lets us submit on this connection now (bound)."""

    @property
    def room(self) -> int:
        """How many one-part messages `submit` would write now; 0 while down, full or throttled."""

    @property
    def outstanding(self) -> int:
        """How many messages were given to `submit` and have no outcome yet."""

    def submit(self, messages: Sequence[Outgoing]) -> int:
        """
        Write messages from the front of *messages* while there is room, in one go.

        Returns how many were taken: 0 when the gate is shut or the link has no room.  What was
        taken gets exactly one outcome, also when the connection breaks (`Lost`).  A message is
        taken with all its parts or not at all.
        """

    async def run(self) -> None:
        """Connect, and connect again with back-off, until cancelled or closed."""

    async def close(self, deadline: float) -> None:
        """
        Take nothing more, wait for outstanding answers until *deadline* (loop time), take leave.

        What is still unanswered then becomes `Lost`.
        """


class LinkEvents(Protocol):
    """What a link tells the engine; every call is synchronous and quick."""

    def on_room(self, link: Link) -> None:
        """There is room again after there was none, or the link came up."""

    def on_outcomes(self, link: Link, outcomes: Sequence[tuple[Outgoing, Outcome]]) -> None:
        """These messages have their outcome."""

    def on_receipts(self, link: Link, receipts: Sequence[Receipt], acknowledge: Callable[[], None]) -> None:
        """
        The carrier sent these receipts; call *acknowledge* once they are recorded.

        Not acknowledged receipts come again from the carrier after a reconnect.  They may arrive
        before the outcome of their message, and on another link of the same carrier.
        """
