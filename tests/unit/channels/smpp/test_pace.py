"""
A link goes as fast as it may and not faster.
"""

import random

from hypothesis import given
from hypothesis import strategies as st

from penstock.channels.smpp.pace import BURST_SECONDS, FIRST_PAUSE, LONGEST_PAUSE, LONGEST_QUIET, Bucket, Pause, Quiet


@given(
    rate=st.integers(1, 5_000),
    steps=st.lists(st.tuples(st.floats(0, 0.5), st.integers(0, 1_000)), max_size=40),
)
def test_a_rate_is_never_exceeded(rate, steps):
    """
    In any period no more go than the rate allows, but for a tenth of a second's burst.
    """
    bucket, now, spent = Bucket(rate), 1.0, []
    for passed, wanted in steps:
        now += passed
        going = min(wanted, bucket.available(now))
        bucket.spend(going, now)
        spent.append((now, going))

    for at, (begin, _) in enumerate(spent):
        for until, (end, _) in enumerate(spent[at:], at):
            total = sum(count for _, count in spent[at : until + 1])
            assert total <= rate * (end - begin) + max(1, rate * BURST_SECONDS) + 0.001


def test_a_bucket_says_when_the_next_may_go():
    """
    Waiting as long as the bucket says is enough.
    """
    bucket = Bucket(4)
    bucket.spend(bucket.available(1.0), 1.0)

    assert bucket.available(1.0) == 0
    assert bucket.available(1.0 + bucket.ready_in(1.0)) == 1


def test_quiet_grows_while_the_carrier_complains():
    """
    Each complaint after a pause doubles the pause, up to two seconds.
    """
    quiet, now, pauses = Quiet(), 1.0, []
    for _ in range(7):
        quiet.begin(now)
        pauses.append(round(quiet.left(now), 3))
        now += pauses[-1]

    assert pauses == [0.1, 0.2, 0.4, 0.8, 1.6, LONGEST_QUIET, LONGEST_QUIET]


def test_one_burst_of_complaints_counts_once():
    """
    A window full of throttled answers is one wish for quiet.
    """
    quiet = Quiet()
    for _ in range(100):
        quiet.begin(1.0)

    assert round(quiet.left(1.0), 3) == 0.1


def test_a_message_taken_after_the_quiet_ends_it():
    """
    Once the carrier takes messages again, the next complaint begins with a short pause.
    """
    quiet = Quiet()
    quiet.begin(1.0)
    quiet.begin(1.2)
    quiet.relax(1.3)  # an answer from before
    assert quiet.is_known
    quiet.relax(1.5)
    assert not quiet.is_known
    quiet.begin(1.6)

    assert round(quiet.left(1.6), 3) == 0.1


@given(seed=st.integers())
def test_pauses_before_a_new_connection_grow_and_differ(seed):
    """
    A carrier that comes back is not stormed by all links at once, and not left alone for long.
    """
    pause = Pause(random.Random(seed))
    pauses = [pause.next() for _ in range(20)]

    assert all(
        min(LONGEST_PAUSE, FIRST_PAUSE * 2**at) / 2 <= seconds <= min(LONGEST_PAUSE, FIRST_PAUSE * 2**at)
        for at, seconds in enumerate(pauses)
    )
    pause.reset()
    assert pause.next() <= FIRST_PAUSE
