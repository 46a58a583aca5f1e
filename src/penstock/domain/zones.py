"""
The time zone of a number, by longest prefix in the tables of phonenumbers.

Its own look-up parses and formats the number first, which costs some 30 µs; the tables alone, a
plain dictionary by prefix, answer in about one.
"""

from phonenumbers.timezone import UNKNOWN_TIMEZONE
from phonenumbers.tzdata import TIMEZONE_DATA, TIMEZONE_LONGEST_PREFIX


def zone_of(destination: int, fallback: str) -> str:
    """Return the IANA zone of a number; *fallback* where the tables name several zones or none."""
    digits = str(destination)
    for length in range(TIMEZONE_LONGEST_PREFIX, 0, -1):
        zones = TIMEZONE_DATA.get(digits[:length])
        if zones is not None:
            return zones[0] if len(zones) == 1 and zones[0] != UNKNOWN_TIMEZONE else fallback
    return fallback
