"""
Rates that are never exceeded.
"""

import datetime as dt
from bisect import bisect_left

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.domain.model import Rate, RateUnit
from penstock.domain.rates import burst, carry_over, grant, interval, ready_at
from tests import strategies

NOW = dt.datetime(2026, 11, 23, 7, 0, tzinfo=dt.UTC)
UNITS = {"d": dt.timedelta(days=1), "h": dt.timedelta(hours=1), "m": dt.timedelta(minutes=1)}


@strategies.law
@given(
    strategies.rates(),
    st.lists(st.tuples(st.floats(0, 1), st.sampled_from([1, 3, 50, 10**6])), min_size=1, max_size=60),
)
def test_rate_is_never_exceeded(rate, asks):
    """
    In any period of one unit at most as many messages go as the rate says, however greedily it is asked.
    """
    unit = UNITS[rate.unit]
    grants, next_at, now = [], None, NOW
    for wait, wanted in asks:
        # Now a wait of up to a tenth of the unit, now exactly until the next one may go.
        now = now + wait * unit / 10 if wait > 0.3 else ready_at(rate, next_at, now)
        count, next_at = grant(rate, next_at, now, wanted)
        grants.append((now, count))

    instants = [at for at, _ in grants]
    for start, (at, _) in enumerate(grants):
        end = bisect_left(instants, at + unit)
        assert sum(count for _, count in grants[start:end]) <= rate.value


@strategies.law
@given(strategies.rates())
def test_greedy_sender_loses_little(rate):
    """
    Asking all the time gives the rate less than a hundredth over a long time, where the clock allows it.
    """
    per_unit = UNITS[rate.unit] / interval(rate)

    assert rate.value * 0.99 - 1 <= per_unit <= rate.value


@strategies.law
@given(strategies.rates())
def test_ready_is_when_it_is_worth_to_ask(rate):
    """
    When a rate is ready a message may go: at the first instant, or with a burst up to 0.1 s later.
    """
    _, next_at = grant(rate, None, NOW, 10**9)
    at = ready_at(rate, next_at, NOW)

    assert grant(rate, next_at, at, 1)[0] == 1
    assert grant(rate, next_at, next_at - dt.timedelta(microseconds=1), 1)[0] == 0
    assert next_at <= at <= next_at + dt.timedelta(milliseconds=100)
    assert burst(rate) > 1 or at == next_at


def test_first_grant_is_one_burst():
    """
    A dispatch that begins sends one small burst at once, not a minute's worth.
    """
    rate = Rate(RateUnit.MINUTE, 60_000)

    assert grant(rate, None, NOW, 10**6)[0] == burst(rate) == 120


@pytest.mark.parametrize("wanted", [0, -1])
def test_nothing_wanted_costs_nothing(wanted):
    """
    Who asks for nothing gets nothing and spends nothing.
    """
    assert grant(Rate(RateUnit.DAY, 1), NOW, NOW, wanted) == (0, NOW)


def test_one_a_day_is_one_a_day():
    """
    The smallest rate lets the second message go exactly a day later.
    """
    rate = Rate(RateUnit.DAY, 1)
    count, next_at = grant(rate, None, NOW, 10)

    assert count == 1
    assert ready_at(rate, next_at, NOW) == NOW + dt.timedelta(days=1)


def test_raised_rate_takes_effect_at_once():
    """
    A dispatch that waits for tomorrow's message goes on after a second when its rate becomes one a second.
    """
    daily, raised = Rate(RateUnit.DAY, 1), Rate(RateUnit.MINUTE, 60)
    _, next_at = grant(daily, None, NOW, 1)

    next_at = carry_over(daily, raised, next_at)

    assert ready_at(raised, next_at, NOW) == NOW + dt.timedelta(seconds=1)


def test_lowered_rate_counts_the_last_message():
    """
    When the rate becomes one a day, the next message leaves a day after the last.
    """
    fast, daily = Rate(RateUnit.MINUTE, 60), Rate(RateUnit.DAY, 1)
    _, next_at = grant(fast, None, NOW, 1)

    next_at = carry_over(fast, daily, next_at)

    assert ready_at(daily, next_at, NOW) == NOW + dt.timedelta(days=1)


@strategies.law
@given(strategies.rates(), strategies.rates())
def test_rate_carried_back_is_the_same(old, new):
    """
    Changing a rate and changing it back costs nothing and wins nothing.
    """
    assert carry_over(new, old, carry_over(old, new, NOW)) == NOW
