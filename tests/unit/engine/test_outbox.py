"""
What a sender knows of halts by what it holds.
"""

from penstock.domain.model import Priority
from penstock.domain.outcome import Outgoing
from penstock.engine.outbox import Held, Outbox

DISPATCH = 10


def claim(outbox: Outbox, *, first: int, halts: int) -> Held:
    """Take in a claim of two messages that was made after so many halts."""
    held = Held(DISPATCH, first, first + 2, zone="*", halts=halts, priority=Priority.PROMO, taken_at=0.0)
    outbox.add(
        held, [Outgoing(DISPATCH, seq, "shop", 79_160_000_000, "hello", None, 1, held) for seq in (first, first + 1)]
    )
    return held


def test_the_last_outcome_of_a_halted_dispatch_is_waited_for():
    """
    Outcomes are to come while a claim from before the halt is in hand, and somebody waits once the last has ended.
    """
    outbox = Outbox()
    first, second = claim(outbox, first=1, halts=0), claim(outbox, first=3, halts=0)
    assert len(outbox.take(4)) == 4
    outbox.halt(DISPATCH, 1)
    assert (outbox.is_halting, outbox.is_waited_for) == (True, False)

    outbox.resolve(first, 2)
    assert (outbox.is_halting, outbox.is_waited_for) == (True, False)

    outbox.resolve(second, 2)
    assert (outbox.is_halting, outbox.is_waited_for) == (False, True)


def test_what_was_claimed_after_a_halt_keeps_nobody_waiting():
    """
    Neither when the pause is heard of after the dispatch went on, nor when old claims end beside new ones.
    """
    outbox = Outbox()
    claim(outbox, first=3, halts=1)
    outbox.halt(DISPATCH, 1)
    assert (outbox.is_halting, outbox.is_waited_for) == (False, False)

    old = claim(outbox, first=1, halts=0)
    assert not outbox.is_halting
    assert outbox.ended == [old]
    assert outbox.is_waited_for
