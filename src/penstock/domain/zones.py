"""
The time zone of a number, by longest prefix in the tables of phonenumbers.

The tables are asked directly: going through a parsed number costs 30 µs, and gives the zones of
the whole calling code to every mobile number, so that one of Jamaica could be anywhere from Guam
to Newfoundland.  Two ranges are an exception, see `_ROAMING`.
"""

import functools

from phonenumbers.tzdata import TIMEZONE_DATA, TIMEZONE_LONGEST_PREFIX

#: Mobile ranges whose one zone in the tables is that of the largest city, of a country that has many:
#: eleven in Russia, five in Australia.
_ROAMING = ("79", "614")
#: A first look at this many digits answers for most numbers.
_HEAD = 4


def zone_of(destination: int, fallback: str) -> str:
    """Return the IANA zone of a number; *fallback* where the tables name several zones or none."""
    digits = str(destination)
    zone, is_settled = _look(digits[:_HEAD])
    if not is_settled:
        for length in range(TIMEZONE_LONGEST_PREFIX, _HEAD, -1):
            zones = TIMEZONE_DATA.get(digits[:length])
            if zones is not None:
                return zones[0] if len(zones) == 1 else fallback
    return zone or fallback


@functools.lru_cache(maxsize=10_000)
def _look(head: str) -> tuple[str | None, bool]:
    """Return the zone that the first digits of a number tell, and whether further ones cannot change it."""
    is_settled = not any(len(prefix) > _HEAD and prefix.startswith(head) for prefix in TIMEZONE_DATA)
    if head.startswith(_ROAMING):
        return None, is_settled
    for length in range(_HEAD, 0, -1):
        zones = TIMEZONE_DATA.get(head[:length])
        if zones is not None:
            return (zones[0] if len(zones) == 1 else None), is_settled
    return None, is_settled
