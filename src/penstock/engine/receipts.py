"""
Matching delivery receipts to messages.

A receipt names its message by the carrier's id.  Most come soon and find it in memory; the others are
looked up in the database.  One that is not there either may have come before the answer to its
message, so it waits a moment for that; then its message may be one that another sender has yet to
record, and it is kept in the database until that has happened.
"""

import datetime as dt
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from penstock.domain.outcome import Outgoing, Receipt, ReceiptStatus
from penstock.store.facts import UNDELIVERED_CODE, Found, ReceiptRow, Stray

#: Accepted messages remembered by each sender, in two generations of this many.
GENERATION = 60_000
#: How long a receipt waits before the database is asked for its message, in seconds.
ASK_AFTER = 0.005
#: How long a receipt waits in memory for the answer to its message, in seconds.
PATIENCE = 0.3


#: What is remembered of an accepted message: dispatch_id, seq and parts.
_Known = tuple[int, int, int]
_DELIVERED = ReceiptStatus.DELIVERED.value


class Delivery:
    """Receipts that came in one go; the carrier hears of them when the last one is recorded."""

    __slots__ = ("acknowledge", "left")

    def __init__(self, acknowledge: Callable[[], None], left: int) -> None:
        self.acknowledge = acknowledge
        self.left = left

    def settle(self, count: int = 1) -> None:
        """Note that *count* of the receipts are recorded."""
        self.left -= count
        if self.left == 0:
            self.acknowledge()


class Unmatched(NamedTuple):
    """A receipt without a message so far."""

    receipt: Receipt
    delivery: Delivery
    seen_at: float
    done_at: dt.datetime


#: A receipt that is ready to be recorded: its row, the parts and the carrier of its message, and what it came in.
Matched = tuple[ReceiptRow, int, int, Delivery]


class ReceiptBook:
    """What one sender knows of the messages of one carrier."""

    def __init__(self, carrier_id: int) -> None:
        self.carrier_id = carrier_id
        self._recent: dict[str, _Known] = {}
        self._older: dict[str, _Known] = {}
        self._early: dict[str, Unmatched] = {}
        self._unasked: deque[tuple[float, str]] = deque()

    def accepted(self, named: list[tuple[str, Outgoing]]) -> list[Matched]:
        """Remember accepted messages by the ids their carrier gave them; returns receipts that came first."""
        known = [(key, (message[0], message[1], message[6])) for key, message in named]
        matched = self._match(known) if self._early else []
        if matched:
            done = {row[:2] for row, *_ in matched}
            known = [pair for pair in known if pair[1][:2] not in done]
        if len(self._recent) >= GENERATION:
            self._older, self._recent = self._recent, {}
        self._recent.update(known)
        return matched

    def receive(
        self, receipts: Sequence[Receipt], delivery: Delivery, now: float, instant: dt.datetime
    ) -> list[Matched]:
        """Match receipts in memory; the others wait for their message."""
        matched: list[Matched] = []
        recent, older, carrier_id = self._recent, self._older, self.carrier_id
        for receipt in receipts:
            key, status, carrier_code, done_at = receipt
            message = recent.pop(key, None) or older.pop(key, None)
            if message is None:
                self._wait(receipt, delivery, now, instant)
                continue
            code = None if status == _DELIVERED else UNDELIVERED_CODE
            dispatch_id, seq, parts = message
            matched.append(
                ((dispatch_id, seq, status, code, carrier_code, done_at or instant), parts, carrier_id, delivery)
            )
        return matched

    def take_unasked(self, seen_before: float) -> list[str]:
        """
        Return the ids of receipts that wait since before *seen_before* and were not looked up; each once.

        The answer to a message, which may come on another connection, is mostly there by then.
        """
        unasked, found = self._unasked, []
        while unasked and unasked[0][0] < seen_before:
            _, key = unasked.popleft()
            if key in self._early:
                found.append(key)
        return found

    @property
    def is_to_ask(self) -> bool:
        """Whether receipts wait that were not looked up yet."""
        return bool(self._unasked)

    def find(self, found: Mapping[str, Found]) -> list[Matched]:
        """Match waiting receipts to the messages that the database found."""
        return self._match(found.items())

    def take_strays(self, seen_before: float) -> list[Unmatched]:
        """Remove and return receipts that have waited for their message since before *seen_before*."""
        if not self._early:
            return []
        due = [waiting for waiting in self._early.values() if waiting.seen_at < seen_before]
        for waiting in due:
            del self._early[waiting.receipt.carrier_message_id]
        return due

    def _wait(self, receipt: Receipt, delivery: Delivery, now: float, instant: dt.datetime) -> None:
        twin = self._early.get(receipt.carrier_message_id)
        if twin is not None:
            # The same receipt twice: the first one speaks for both.
            delivery.settle()
            return
        waiting = Unmatched(receipt, delivery, now, receipt.done_at or instant)
        self._early[receipt.carrier_message_id] = waiting
        self._unasked.append((now, receipt.carrier_message_id))

    def _match(self, known: Iterable[tuple[str, _Known]]) -> list[Matched]:
        """Match receipts that wait to their messages, which are *known* now: they are received once more."""
        matched: list[Matched] = []
        for key, message in known:
            waiting = self._early.pop(key, None)
            if waiting is not None:
                self._recent[key] = message
                matched += self.receive([waiting.receipt], waiting.delivery, waiting.seen_at, waiting.done_at)
        return matched


def stray_of(waiting: Unmatched) -> Stray:
    """Return the row that keeps a receipt."""
    receipt = waiting.receipt
    return Stray(receipt.carrier_message_id, receipt.status, receipt.code, waiting.done_at)
