"""
The engine's side of the port, for tests: gives messages to a link and keeps account of what it hears.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence

from penstock.channels.port import Link
from penstock.domain.outcome import Accepted, Outcome, Outgoing, Receipt


def outgoing(seq: int, text: str = "hello", ttl: int | None = None) -> Outgoing:
    """Make a message whose destination tells its number."""
    return Outgoing(1, seq, "Shop", 79_990_000_000 + seq, text, ttl)


class Ledger:
    """Hears a link; hands it what was queued whenever there is room."""

    def __init__(self, *, acknowledges: bool = True) -> None:
        self.outcomes: dict[int, Outcome] = {}  #: by the number of the message
        self.receipts: list[Receipt] = []
        self.withheld: list[Callable[[], None]] = []  #: acknowledgements not made
        self.rooms = 0
        self._acknowledges = acknowledges
        self._queue: deque[Outgoing] = deque()
        self._links: list[Link] = []

    def send(self, messages: Iterable[Outgoing]) -> None:
        """Queue messages for any link that has room."""
        self._queue.extend(messages)
        for link in self._links:
            self._fill(link)

    def on_room(self, link: Link) -> None:
        """Hand over what is queued."""
        self.rooms += 1
        if link not in self._links:
            self._links.append(link)
        self._fill(link)

    def on_outcomes(self, link: Link, outcomes: Sequence[tuple[Outgoing, Outcome]]) -> None:
        """Note outcomes; the second one of a message is an error of the link."""
        for message, outcome in outcomes:
            assert message.seq not in self.outcomes, f"message {message.seq} has a second outcome: {outcome}"
            self.outcomes[message.seq] = outcome
        self._fill(link)

    def on_receipts(self, link: Link, receipts: Sequence[Receipt], acknowledge: Callable[[], None]) -> None:
        """Note receipts, and acknowledge them unless told not to."""
        assert link.carrier
        self.receipts.extend(receipts)
        if self._acknowledges:
            acknowledge()
        else:
            self.withheld.append(acknowledge)

    @property
    def accepted(self) -> dict[str, int]:
        """The number of each accepted message, by its carrier's id."""
        return {
            outcome.carrier_message_id: seq for seq, outcome in self.outcomes.items() if isinstance(outcome, Accepted)
        }

    @property
    def kinds(self) -> list[str]:
        """The sorted names of all outcomes."""
        return sorted(type(outcome).__name__ for outcome in self.outcomes.values())

    def _fill(self, link: Link) -> None:
        while self._queue and (room := link.room):
            messages = [self._queue[at] for at in range(min(room, len(self._queue)))]
            taken = link.submit(messages)
            for _ in range(taken):
                self._queue.popleft()
            if taken < len(messages):
                return
