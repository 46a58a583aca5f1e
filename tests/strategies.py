"""
Valid values for property tests.
"""

import datetime as dt

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from penstock.domain.model import Entry, Rate, RateUnit, Schedule

#: How often a law of the domain is tried.  No deadline: a machine may be busy with other things.
law = settings(max_examples=40, deadline=None)

#: Typed from GSM 03.38, not taken from the code under test.
GSM_LETTERS = "@£$¥èéùìòÇØøÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ!#¤%&()*+,-./:;<=>?¡ÄÖÑÜ§¿äöñüà 0123456789ABCXYZabcxyz\n\r'\""
GSM_EXTENSION = "^{}\\[~]|€\f"

#: Zones with every kind of clock change: none, an hour, half an hour, two hours, at midnight.
ZONES = (
    "Europe/Moscow",
    "Asia/Vladivostok",
    "Asia/Kathmandu",
    "Europe/Berlin",
    "America/New_York",
    "America/Havana",
    "Africa/Cairo",
    "Asia/Beirut",
    "Australia/Lord_Howe",
    "Antarctica/Troll",
    "Pacific/Chatham",
)


def gsm_texts(max_size: int = 400) -> SearchStrategy[str]:
    """Build texts of the GSM alphabet, the extension table included."""
    return st.text(GSM_LETTERS + GSM_EXTENSION * 3, max_size=max_size)


def texts(max_size: int = 400) -> SearchStrategy[str]:
    """Build texts that may be sent: GSM, Cyrillic, and beyond the basic plane."""
    return gsm_texts(max_size) | st.text("Привет, мир! ё\u00a0ç`\0\t😀🚰\U0010fffd{}%a1", max_size=max_size)


def msisdns() -> SearchStrategy[str]:
    """Build destinations as a client may write them."""
    digits = st.from_regex(r"[1-9][0-9]{6,14}", fullmatch=True)
    return st.builds(str.__add__, st.sampled_from(["", "+"]), digits)


def names() -> SearchStrategy[str]:
    """Build names of placeholders."""
    return st.text("abcxyz_09имя", min_size=1, max_size=6)


def template_pieces() -> SearchStrategy[list[tuple[bool, str]]]:
    """Build what a template is made of: pairs of whether it is a placeholder, and its name or literal text."""
    literals = st.tuples(st.just(False), texts(20))
    return st.lists(literals | st.tuples(st.just(True), names()), max_size=8)


def entries() -> SearchStrategy[Entry]:
    """Build elements of a fill, good and bad."""
    typical = ["", "8", "0123456789", "+7 999", "79990001122", "74232000000"]
    destinations = st.one_of(msisdns(), st.sampled_from(typical))
    values = st.one_of(texts(60), st.integers(), st.booleans(), st.floats(allow_nan=False, allow_infinity=False))
    keys = st.sampled_from(["name", "code"])
    return st.builds(Entry, destinations, st.dictionaries(keys, st.one_of(st.none(), values)))


def instants() -> SearchStrategy[dt.datetime]:
    """Build instants of the next years."""
    return st.datetimes(dt.datetime(2026, 1, 1), dt.datetime(2028, 12, 31), timezones=st.just(dt.UTC))  # noqa: DTZ001 - made aware by the strategy


def instants_near_clock_changes() -> SearchStrategy[dt.datetime]:
    """Build instants within two days of the days on which most clocks change."""
    days = st.sampled_from(
        [
            dt.datetime(2026, month, day, tzinfo=dt.UTC)
            for month, day in [(3, 8), (3, 29), (4, 5), (4, 24), (9, 27), (10, 4), (10, 25), (10, 29), (11, 1)]
        ]
    )
    return st.builds(lambda day, minutes: day + dt.timedelta(minutes=minutes), days, st.integers(-2880, 2880))


def schedules(around: dt.datetime) -> SearchStrategy[Schedule]:
    """Build schedules whose times lie within two days of *around*."""
    wall = around.replace(tzinfo=None, second=0, microsecond=0)
    times = st.integers(-2880, 2880).map(lambda minutes: wall + dt.timedelta(minutes=minutes))
    hours = st.lists(st.integers(0, 23), unique=True, max_size=24).map(tuple)
    days = st.lists(st.integers(1, 7), unique=True, max_size=7).map(tuple)
    empty = st.just(())
    return st.builds(Schedule, st.just(True), st.none() | times, st.none() | times, empty | hours, empty | days)


def rates() -> SearchStrategy[Rate]:
    """Build rates from one a day to a hundred thousand a minute."""
    values = st.one_of(st.integers(1, 20), st.integers(400, 3000), st.integers(1, 100_000))
    return st.builds(Rate, st.sampled_from(RateUnit), values)
