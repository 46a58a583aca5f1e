"""
Matching delivery receipts to messages.

A receipt names its message by the carrier's id.  Most come soon and find it in memory; the others are
looked up in the database.  One that is not there either may have come before the answer to its
message, so it waits a moment for that; then its message may be one that another sender has yet to
record, and it is kept in the database until that has happened.
"""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from penstock.domain.outcome import Outgoing, Receipt, ReceiptStatus
from penstock.store.facts import UNDELIVERED_CODE, Found, ReceiptFact, Stray

#: Accepted messages remembered by each sender, in two generations of this many.
GENERATION = 40_000
#: How long a receipt waits in memory for the answer to its message, in seconds.
PATIENCE = 0.3


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


class Matched(NamedTuple):
    """A receipt that is ready to be recorded."""

    fact: ReceiptFact
    parts: int
    carrier_id: int
    delivery: Delivery


class ReceiptBook:
    """What one sender knows of the messages of one carrier."""

    def __init__(self, carrier_id: int) -> None:
        self.carrier_id = carrier_id
        self._recent: dict[str, Outgoing] = {}
        self._older: dict[str, Outgoing] = {}
        self._early: dict[str, Unmatched] = {}
        self._unasked: list[str] = []

    def accepted(self, carrier_message_id: str, message: Outgoing) -> Matched | None:
        """Remember an accepted message; returns its receipt if that came first."""
        if self._early:
            early = self._early.pop(carrier_message_id, None)
            if early is not None:
                return self._match(early.receipt, message.dispatch_id, message.seq, message.parts, early)
        if len(self._recent) >= GENERATION:
            self._older, self._recent = self._recent, {}
        self._recent[carrier_message_id] = message
        return None

    def receive(
        self, receipts: Sequence[Receipt], delivery: Delivery, now: float, instant: dt.datetime
    ) -> list[Matched]:
        """Match receipts in memory; the others wait for their message."""
        matched = []
        recent, older, carrier_id = self._recent, self._older, self.carrier_id
        for receipt in receipts:
            key, status, carrier_code, done_at = receipt
            message = recent.pop(key, None) or older.pop(key, None)
            if message is None:
                self._wait(receipt, delivery, now, instant)
                continue
            code = None if status == 1 else UNDELIVERED_CODE
            fact = ReceiptFact(message[0], message[1], status, code, carrier_code, done_at or instant)
            matched.append(Matched(fact, message.parts, carrier_id, delivery))
        return matched

    def take_unasked(self) -> list[str]:
        """Return the ids of waiting receipts that were not looked up yet; each is returned once."""
        if not self._unasked:
            return []
        unasked, self._unasked = self._unasked, []
        return [key for key in unasked if key in self._early]

    def find(self, found: Mapping[str, Found]) -> list[Matched]:
        """Match waiting receipts to the messages that the database found."""
        matched = []
        for key, message in found.items():
            waiting = self._early.pop(key, None)
            if waiting is not None:
                matched.append(self._match(waiting.receipt, *message, waiting))
        return matched

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
        self._unasked.append(receipt.carrier_message_id)

    def _match(self, receipt: Receipt, dispatch_id: int, seq: int, parts: int, waiting: Unmatched) -> Matched:
        code = None if receipt.status is ReceiptStatus.DELIVERED else UNDELIVERED_CODE
        fact = ReceiptFact(dispatch_id, seq, receipt.status, code, receipt.code, waiting.done_at)
        return Matched(fact, parts, self.carrier_id, waiting.delivery)


def stray_of(waiting: Unmatched) -> Stray:
    """Return the row that keeps a receipt."""
    receipt = waiting.receipt
    return Stray(receipt.carrier_message_id, receipt.status, receipt.code, waiting.done_at)
