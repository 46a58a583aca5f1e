"""
Where dispatches and messages stand.

A dispatch has a status, and `MOVES` is the law.  A message has facts; its status is a function of
them, and the view ``message_status`` in the schema says the same.

initiated ─→ scheduled ─→ sending ─→ awaiting ─→ done
                 ↕           ↓  ↖        │
              paused ←── changing ←──────┘
                             ↓
                          stopped
"""

import enum
from typing import NamedTuple, assert_never

from penstock.domain.errors import ItemCode


class DispatchStatus(enum.StrEnum):
    """Where a dispatch stands."""

    INITIATED = "initiated"  #: being filled; nothing may leave
    SCHEDULED = "scheduled"  #: its time has not come
    SENDING = "sending"  #: claims may be made
    AWAITING = "awaiting"  #: all sent; some statuses are not final
    PAUSED = "paused"  #: nothing leaves until it is resumed
    CHANGING = "changing"  #: a halt waits for the last answers; no claim can be made
    DONE = "done"  #: all sent, and all statuses are final
    STOPPED = "stopped"  #: what was not sent will not be


_S = DispatchStatus

#: Every legal move of a dispatch.  What is absent is refused.
MOVES: dict[DispatchStatus, frozenset[DispatchStatus]] = {
    _S.INITIATED: frozenset({_S.SCHEDULED, _S.SENDING, _S.DONE}),
    _S.SCHEDULED: frozenset({_S.SENDING, _S.CHANGING, _S.AWAITING, _S.DONE}),
    _S.SENDING: frozenset({_S.AWAITING, _S.CHANGING, _S.DONE}),
    _S.AWAITING: frozenset({_S.DONE, _S.CHANGING}),
    _S.PAUSED: frozenset({_S.SCHEDULED, _S.SENDING, _S.AWAITING, _S.DONE, _S.CHANGING}),
    _S.CHANGING: frozenset({_S.PAUSED, _S.STOPPED}),
    _S.DONE: frozenset(),
    _S.STOPPED: frozenset(),
}
FINAL = frozenset(status for status, after in MOVES.items() if not after)


def may_fill(status: DispatchStatus) -> bool:
    """Tell whether messages may be added."""
    return status is _S.INITIATED


def may_start(status: DispatchStatus) -> bool:
    """Tell whether the creation may be completed."""
    return status is _S.INITIATED


def may_stop(status: DispatchStatus) -> bool:
    """Tell whether a stop may begin, or join the halt under way."""
    return status is _S.CHANGING or _S.CHANGING in MOVES[status]


def may_pause(status: DispatchStatus) -> bool:
    """Tell whether a pause may begin, or join the halt under way."""
    return status in (_S.SCHEDULED, _S.SENDING, _S.CHANGING)


def may_resume(status: DispatchStatus) -> bool:
    """Tell whether there is a pause to end."""
    return status is _S.PAUSED


class MessageStatus(enum.StrEnum):
    """Where a message stands, as clients see it."""

    SENDING = "sending"  #: waits
    SENT = "sent"  #: handed over; the final status is awaited
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    UNSENT = "unsent"  #: did not leave, and will not


class SubmissionOutcome(enum.IntEnum):
    """What came of handing a message over, as it is stored."""

    ACCEPTED = 1
    REJECTED = 2
    IN_DOUBT = 3


class FinalStatus(enum.IntEnum):
    """The last word on a message, as it is stored."""

    DELIVERED = 1
    UNDELIVERED = 2
    UNSENT = 3


class MessageFacts(NamedTuple):
    """All that decides about a message."""

    outcome: int | None  #: a SubmissionOutcome
    receipt: int | None  #: a FinalStatus
    receipt_code: int | None  #: an ItemCode
    dispatch_status: DispatchStatus


_FINAL_WORDS = {
    FinalStatus.DELIVERED: MessageStatus.DELIVERED,
    FinalStatus.UNDELIVERED: MessageStatus.UNDELIVERED,
    FinalStatus.UNSENT: MessageStatus.UNSENT,
}


def message_status(facts: MessageFacts) -> tuple[MessageStatus, ItemCode | None]:
    """Derive the status of a message, and the reason where there is one."""
    if facts.receipt is not None:
        code = None if facts.receipt_code is None else ItemCode(facts.receipt_code)
        return _FINAL_WORDS[FinalStatus(facts.receipt)], code
    if facts.outcome is not None:
        return _submitted(SubmissionOutcome(facts.outcome))
    if facts.dispatch_status is _S.STOPPED:
        return MessageStatus.UNSENT, ItemCode.STOPPED
    if facts.dispatch_status is _S.DONE:
        return MessageStatus.UNSENT, ItemCode.EXPIRED
    return MessageStatus.SENDING, None


def _submitted(outcome: SubmissionOutcome) -> tuple[MessageStatus, ItemCode | None]:
    match outcome:
        case SubmissionOutcome.ACCEPTED:
            return MessageStatus.SENT, None
        case SubmissionOutcome.REJECTED:
            return MessageStatus.UNSENT, ItemCode.REJECTED
        case SubmissionOutcome.IN_DOUBT:
            return MessageStatus.SENT, ItemCode.OUTCOME_UNKNOWN
    assert_never(outcome)
