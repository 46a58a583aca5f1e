"""
Rates that hold exactly: at most n messages in any day, hour or minute.

A generic cell rate algorithm.  Each message has a theoretical time; a small burst b may run ahead
of it, and for that the interval between messages is unit/(n−b+1) instead of unit/n: so in any
half-open period of one unit there are at most (n−b+1) + (b−1) = n.
"""

import datetime as dt

from penstock.domain.model import Rate, RateUnit

_UNITS = {
    RateUnit.DAY: dt.timedelta(days=1),
    RateUnit.HOUR: dt.timedelta(hours=1),
    RateUnit.MINUTE: dt.timedelta(minutes=1),
}
#: A burst is this share of the rate: it costs as much of the throughput.
_BURST_SHARE = 500
_GATHER = dt.timedelta(milliseconds=100)
_MICROSECOND = dt.timedelta(microseconds=1)


def burst(rate: Rate) -> int:
    """Return how many messages may go at the same instant."""
    return max(1, rate.value // _BURST_SHARE)


def interval(rate: Rate) -> dt.timedelta:
    """Return the time from one message to the next, rounded up to a microsecond."""
    each = rate.value - burst(rate) + 1
    micros = _UNITS[rate.unit] // _MICROSECOND
    return dt.timedelta(microseconds=-(-micros // each))


def grant(rate: Rate, next_at: dt.datetime | None, now: dt.datetime, wanted: int) -> tuple[int, dt.datetime | None]:
    """
    Return how many of *wanted* messages may go *now*, and what to remember.

    *next_at* is what was remembered last: the theoretical time of the next message; None at first.
    """
    step = interval(rate)
    earliest = now - (burst(rate) - 1) * step
    start = earliest if next_at is None or next_at < earliest else next_at
    if start > now or wanted <= 0:
        return 0, next_at
    count = min(wanted, (now - start) // step + 1)
    return count, start + count * step


def ready_at(rate: Rate, next_at: dt.datetime | None, now: dt.datetime) -> dt.datetime:
    """
    Return when it is worth to ask again: *now*, or later.

    Where the rate has a burst, that is when a tenth of a second's worth of it can go at once, so
    that a fast dispatch is not claimed from message by message.
    """
    if next_at is None or next_at + _GATHER <= now:
        return now
    return max(now, next_at + min(_GATHER, (burst(rate) - 1) * interval(rate)))


def carry_over(old: Rate, new: Rate, next_at: dt.datetime) -> dt.datetime:
    """
    Return what to remember when a dispatch goes from one rate to another.

    The next message follows the last one, as far behind it as the new rate asks.
    """
    return next_at - interval(old) + interval(new)
