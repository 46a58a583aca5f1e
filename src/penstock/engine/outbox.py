"""
What a sender holds: its claims, and of them what is not written yet, best priority first.

All of it is only a copy of rows: when the process dies, the claims in the database say what it
may have written.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence

from penstock.domain.model import Priority
from penstock.domain.outcome import Outgoing
from penstock.domain.slicing import runs


class Held:
    """A claim in hand: it ends when each of its messages has an outcome or goes back."""

    __slots__ = ("dispatch_id", "end_seq", "first_seq", "halts", "priority", "returned", "taken_at", "unresolved",
                 "writes", "zone")  # fmt: skip

    def __init__(
        self, dispatch_id: int, first_seq: int, end_seq: int, *, zone: str, halts: int, priority: int, taken_at: float
    ) -> None:
        self.dispatch_id = dispatch_id
        self.first_seq = first_seq
        self.end_seq = end_seq
        self.zone = zone
        self.halts = halts
        self.priority = priority
        self.taken_at = taken_at  #: on the lease's clock
        self.writes: list[tuple[float, int]] = []  #: when (on the lease's clock) and how many were written
        self.unresolved = 0
        self.returned: list[int] = []  #: seqs that were never written

    @property
    def key(self) -> tuple[int, int]:
        """The claim's key in the database."""
        return self.dispatch_id, self.first_seq

    def unwritten(self) -> list[tuple[int, int]]:
        """Return the runs of messages that go back."""
        return runs(sorted(self.returned))


class Outbox:
    """Messages of held claims that wait for room on a link."""

    def __init__(self) -> None:
        self._waiting: tuple[deque[Outgoing], ...] = tuple(deque() for _ in Priority)
        self._halts: dict[int, int] = {}
        self.held: set[Held] = set()
        self.unresolved = 0  #: messages claimed and without outcome, written ones included
        self.ended: list[Held] = []  #: claims to be released

    def __len__(self) -> int:
        return sum(map(len, self._waiting))

    def waiting(self, priority: int) -> int:
        """Return how many messages of one priority wait."""
        return len(self._waiting[priority])

    def add(self, held: Held, messages: Sequence[Outgoing]) -> None:
        """Take in a claim that was just made; if its dispatch was halted meanwhile it goes back at once."""
        self.held.add(held)
        held.unresolved = len(messages)
        self.unresolved += len(messages)
        if self.is_halted(held):
            self._return(messages)
        elif messages:
            self._waiting[held.priority].extend(messages)
        else:
            self._end(held)

    def take(self, most: int) -> list[Outgoing]:
        """Remove up to *most* messages, best priority first."""
        taken: list[Outgoing] = []
        for waiting in self._waiting:
            if not waiting:
                continue
            count = min(most - len(taken), len(waiting))
            popleft = waiting.popleft
            taken += [popleft() for _ in range(count)]
            if len(taken) >= most:
                break
        return taken

    def put_back(self, messages: Sequence[Outgoing]) -> None:
        """Return messages that were taken and not written to the front, or to the database if halted."""
        for message in reversed(messages):
            held = message.ticket
            assert isinstance(held, Held)  # noqa: S101 - tickets are ours alone
            if self.is_halted(held):
                self._return((message,))
            else:
                self._waiting[held.priority].appendleft(message)

    def resolve(self, held: Held, count: int = 1) -> None:
        """Note that *count* messages of a claim have their outcome."""
        held.unresolved -= count
        self.unresolved -= count
        if not held.unresolved:
            self._end(held)

    def holds(self, dispatch_id: int) -> bool:
        """Tell whether a claim of a dispatch is in hand, or ended and not released yet."""
        return any(held.dispatch_id == dispatch_id for held in (*self.held, *self.ended))

    def is_halted(self, held: Held) -> bool:
        """Tell whether a claim is from before a halt of its dispatch."""
        return self._halts.get(held.dispatch_id, 0) > held.halts

    @property
    def is_halting(self) -> bool:
        """Whether outcomes of a halted dispatch are still to come."""
        return any(map(self.is_halted, self.held))

    @property
    def is_waited_for(self) -> bool:
        """Whether somebody waits that claims are released: the last ones in hand of a halted dispatch have ended."""
        ended = {held.dispatch_id for held in self.ended if self.is_halted(held)}
        return bool(ended) and bool(ended - {held.dispatch_id for held in self.held if self.is_halted(held)})

    def halt(self, dispatch_id: int, halts: int) -> bool:
        """Write nothing more of claims from before a halt; tells whether it was news."""
        if self._halts.get(dispatch_id, 0) >= halts:
            return False
        self._halts[dispatch_id] = halts
        self._take_out(lambda held: held.dispatch_id == dispatch_id and held.halts < halts)
        if len(self._halts) > 10_000:  # noqa: PLR2004 - old halts of which nothing is held
            mine = {held.dispatch_id for held in self.held}
            self._halts = {one: count for one, count in self._halts.items() if one in mine or one == dispatch_id}
        return True

    def return_older(self, taken_before: float) -> None:
        """Give back what has waited since before *taken_before*: no link takes it."""
        self._take_out(lambda held: held.taken_at < taken_before)

    def _take_out(self, chosen: Callable[[Held], bool]) -> None:
        out = {id(held) for held in self.held if chosen(held)}
        if not out:
            return
        for waiting in self._waiting:
            going = [message for message in waiting if id(message.ticket) in out]
            if going:
                staying = [message for message in waiting if id(message.ticket) not in out]
                waiting.clear()
                waiting.extend(staying)
                self._return(going)

    def _return(self, messages: Iterable[Outgoing]) -> None:
        for message in messages:
            held = message.ticket
            assert isinstance(held, Held)  # noqa: S101 - tickets are ours alone
            held.returned.append(message.seq)
            self.resolve(held)

    def _end(self, held: Held) -> None:
        self.held.discard(held)
        self.ended.append(held)
