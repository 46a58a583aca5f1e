"""
What the HTTP side asks of the rest of Penstock.

`http` does not know the engine or the store: the composition root hands it these.  Caller errors
come as the exceptions of `penstock.domain.errors`, a store that cannot be reached as
`StoreUnavailable`; both become answers in one place.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

import msgspec

from penstock.domain.model import (
    Caller,
    DispatchDraft,
    DispatchFilter,
    DispatchProgress,
    DispatchView,
    Entry,
    FileFill,
    Idempotency,
    MessageLine,
    MessageView,
    Rate,
    SingleMessage,
    StopReceipt,
    StreamedIdempotency,
)


class Keys(Protocol):
    """API keys."""

    async def authenticate(self, key_id: int, secret: str, *, look: bool = True) -> Caller | None:
        """
        Return the caller behind a key; None for an unknown, revoked or wrong one.

        When *look* is false the answer is given from memory: a key made in the last seconds may not be known.
        """


class Dispatches(Protocol):
    """A dispatch, but for filling and stopping it."""

    async def create(self, caller: Caller, draft: DispatchDraft, once: Idempotency | None) -> int:
        """Store a new dispatch durably and return its id."""

    async def start(self, caller: Caller, dispatch_id: int) -> None:
        """Complete the creation; raises DispatchNotFound or InappropriateStatus."""

    async def resume(self, caller: Caller, dispatch_id: int) -> None:
        """Go on with a paused dispatch."""

    async def set_rate(self, caller: Caller, dispatch_id: int, rate: Rate | None) -> None:
        """Change the rate of a dispatch that is not final; None lifts the limit."""

    async def find(self, caller: Caller, wanted: DispatchFilter) -> tuple[int, list[DispatchView]]:
        """Return how many dispatches fit and one page of them, newest first."""

    async def progress(self, caller: Caller, dispatch_id: int) -> DispatchProgress:
        """Look at one dispatch."""

    def lines(self, caller: Caller, dispatch_id: int, statuses: Sequence[str]) -> AsyncIterator[list[MessageLine]]:
        """
        Stream the outcome of every message in order of `seq`; empty *statuses* takes all.

        DispatchNotFound is raised by the first step, before anything is yielded; a first step
        always comes, with an empty list where there is nothing.
        """


class Stops(Protocol):
    """The stop, and the pause that keeps its promise."""

    async def stop(self, caller: Caller, dispatch_id: int) -> None:
        """Return when nothing more of the dispatch can leave; joins a stop under way."""

    async def pause(self, caller: Caller, dispatch_id: int) -> None:
        """Return when nothing more leaves until `resume`."""

    async def receipt(self, caller: Caller, dispatch_id: int) -> StopReceipt:
        """Return the account of a stop; raises DispatchNotFound or StopReceiptNotFound."""


class Filling(Protocol):
    """Putting messages into a dispatch."""

    async def fill(
        self, caller: Caller, dispatch_id: int, entries: Sequence[Entry], once: Idempotency | None
    ) -> list[str | int]:
        """
        Store the good ones of 1…1000 *entries* durably, all in one transaction.

        Returns for each entry its messageUuid, or the error code (74xx) that kept it out.
        """

    async def fill_from(
        self,
        caller: Caller,
        dispatch_id: int,
        name: str,
        rows: AsyncIterator[Sequence[Entry]],
        once: StreamedIdempotency | None,
    ) -> FileFill:
        """
        Store a whole file, given as *rows* in batches of up to 5,000, or nothing of it.

        *once* is finished when *rows* are at their end.

        An exception raised by *rows* (a broken row, a broken connection) passes through and
        nothing of the file stays.
        """


class Messages(Protocol):
    """Single messages."""

    async def send(
        self, caller: Caller, messages: Sequence[SingleMessage], once: Idempotency | None
    ) -> list[str | int]:
        """Store 1…1000 messages durably and send them; a messageUuid or an error code for each."""

    async def view(self, caller: Caller, message_uuid: str) -> MessageView:
        """Look at one message; raises MessageNotFound."""

    async def stop(self, caller: Caller, message_uuids: Sequence[str]) -> list[int]:
        """Return 200 (will not leave), 403 (being sent or sent) or 404 for each of up to 10,000."""


class Services(msgspec.Struct, frozen=True):
    """All that the HTTP side is given."""

    keys: Keys
    dispatches: Dispatches
    stops: Stops
    filling: Filling
    messages: Messages
