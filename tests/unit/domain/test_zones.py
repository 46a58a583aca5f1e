"""
The zone of a number, against the tables read the plain way.
"""

import zoneinfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from phonenumbers.tzdata import TIMEZONE_DATA

from penstock.domain.zones import zone_of
from tests import strategies

FALLBACK = "Europe/Moscow"
PREFIXES = sorted(TIMEZONE_DATA)


def longest_prefix(digits: str) -> tuple[str, ...]:
    """Return the zones of the longest prefix that the tables know."""
    return max(
        ((prefix, TIMEZONE_DATA[prefix]) for prefix in (digits[:end] for end in range(16)) if prefix in TIMEZONE_DATA),
        default=("", ()),
        key=lambda found: len(found[0]),
    )[1]


def expected(digits: str) -> str:
    """Return what `zone_of` should say of a number that does not roam."""
    zones = longest_prefix(digits)
    return zones[0] if len(zones) == 1 else FALLBACK


def test_every_prefix_of_the_tables_has_its_zone():
    """
    Whatever was asked before, a number is in the zone of the longest prefix that fits it.
    """
    numbers = [prefix.ljust(11, "5") for prefix in PREFIXES if not prefix.startswith(("79", "614"))]
    # And one digit beside each prefix, where a shorter one decides.
    numbers += [str(int(number[:-2]) + 1).ljust(11, "5") for number in numbers if number[0] != "9"]
    numbers = [number for number in numbers if not number.startswith(("79", "614"))]

    assert [zone_of(int(number), FALLBACK) for number in numbers] == [expected(number) for number in numbers]


@strategies.law
@given(st.integers(10**6, 10**15 - 1))
def test_any_number_has_a_zone_that_exists(destination):
    """
    Each number has a zone by which a clock can be read.
    """
    zoneinfo.ZoneInfo(zone_of(destination, FALLBACK))


@pytest.mark.parametrize(
    ("destination", "zone"),
    [
        (74232123456, "Asia/Vladivostok"),
        (74951234567, "Europe/Moscow"),
        (73832123456, "Asia/Novosibirsk"),
        (37491123456, "Asia/Yerevan"),
        (998901234567, "Asia/Tashkent"),
        (12125551234, "America/New_York"),
        (18762101234, "America/Jamaica"),
    ],
)
def test_numbers_live_where_they_live(destination, zone):
    """
    Landlines, and mobiles of countries with one zone, are in the zone of their place.
    """
    assert zone_of(destination, "Pacific/Auckland") == zone


@pytest.mark.parametrize("destination", [79990001122, 79140001122, 77011234567, 61412345678, 18005551234, 9991234567])
def test_numbers_that_may_be_anywhere_take_the_fallback(destination):
    """
    A number that may be in any of several zones, as all Russian mobile ones, is where the account says.
    """
    assert zone_of(destination, "Asia/Yekaterinburg") == "Asia/Yekaterinburg"
