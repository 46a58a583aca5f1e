"""
The life of dispatches and the status of messages.
"""

import itertools

import pytest

from penstock.domain.errors import ItemCode
from penstock.domain.lifecycle import (
    FINAL,
    MOVES,
    DispatchStatus,
    FinalStatus,
    MessageFacts,
    MessageStatus,
    SubmissionOutcome,
    may_fill,
    may_pause,
    may_resume,
    may_start,
    may_stop,
    message_status,
)

#: add, start and stop of each status, as the wire contract prints them; then pause and resume.
TABLE = {
    "initiated": (True, True, False, False, False),
    "scheduled": (False, False, True, True, False),
    "sending": (False, False, True, True, False),
    "awaiting": (False, False, True, False, False),
    "paused": (False, False, True, False, True),
    "changing": (False, False, True, True, False),
    "done": (False, False, False, False, False),
    "stopped": (False, False, False, False, False),
}


@pytest.mark.parametrize(("status", "allowed"), TABLE.items())
def test_calls_are_allowed_as_the_contract_says(status, allowed):
    """
    Each status lets through exactly the calls of the contract's table.
    """
    calls = (may_fill, may_start, may_stop, may_pause, may_resume)

    assert tuple(call(DispatchStatus(status)) for call in calls) == allowed


def test_every_status_has_its_moves_and_two_are_final():
    """
    The table of moves speaks of every status, and only done and stopped are the end.
    """
    assert set(MOVES) == set(DispatchStatus)
    assert {DispatchStatus.DONE, DispatchStatus.STOPPED} == FINAL


def test_every_status_can_be_reached():
    """
    No status is there that a dispatch could not come to.
    """
    reached, border = set(), {DispatchStatus.INITIATED}
    while border:
        reached |= border
        border = set(itertools.chain.from_iterable(MOVES[status] for status in border)) - reached

    assert reached == set(DispatchStatus)


def test_a_stop_goes_through_changing_and_nowhere_else():
    """
    Nothing is stopped or paused but by way of the state in which no claim can be made.
    """
    before = {to: {status for status, after in MOVES.items() if to in after} for to in DispatchStatus}

    assert before[DispatchStatus.STOPPED] == {DispatchStatus.CHANGING}
    assert before[DispatchStatus.PAUSED] == {DispatchStatus.CHANGING}


@pytest.mark.parametrize(
    ("outcome", "receipt", "code", "dispatch", "status", "reason"),
    [
        (None, None, None, "sending", "sending", None),
        (None, None, None, "changing", "sending", None),
        (None, None, None, "paused", "sending", None),
        (None, None, None, "stopped", "unsent", ItemCode.STOPPED),
        (None, None, None, "done", "unsent", ItemCode.EXPIRED),
        (SubmissionOutcome.ACCEPTED, None, None, "sending", "sent", None),
        (SubmissionOutcome.ACCEPTED, None, None, "stopped", "sent", None),
        (SubmissionOutcome.REJECTED, None, None, "sending", "unsent", ItemCode.REJECTED),
        (SubmissionOutcome.IN_DOUBT, None, None, "done", "sent", ItemCode.OUTCOME_UNKNOWN),
        (SubmissionOutcome.ACCEPTED, FinalStatus.DELIVERED, None, "stopped", "delivered", None),
        (SubmissionOutcome.ACCEPTED, FinalStatus.UNDELIVERED, 7060, "done", "undelivered", ItemCode.LIFETIME),
        (SubmissionOutcome.IN_DOUBT, FinalStatus.DELIVERED, None, "sending", "delivered", None),
        (None, FinalStatus.UNSENT, 7063, "sending", "unsent", ItemCode.STOPPED),
    ],
)
def test_status_of_a_message_follows_from_its_facts(outcome, receipt, code, dispatch, status, reason):
    """
    The receipt decides, else what came of the submission, else how the dispatch ended.
    """
    facts = MessageFacts(outcome, receipt, code, DispatchStatus(dispatch))

    assert message_status(facts) == (MessageStatus(status), reason)


@pytest.mark.parametrize("dispatch", DispatchStatus)
@pytest.mark.parametrize("outcome", [None, *SubmissionOutcome])
@pytest.mark.parametrize("receipt", [None, *FinalStatus])
def test_every_combination_of_facts_has_a_status(outcome, receipt, dispatch):
    """
    Facts may come in any order and combination; a message always stands somewhere.
    """
    status, reason = message_status(MessageFacts(outcome, receipt, None, dispatch))

    assert status in MessageStatus
    assert reason is None or receipt is None
