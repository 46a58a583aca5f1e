"""
Destinations: numbers in the form of E.164.
"""

import re

_MSISDN = re.compile(r"\+?([1-9][0-9]{6,14})", re.ASCII)


def parse_msisdn(text: str) -> int | None:
    """Return a destination as a number: 7…15 digits, a leading ``+`` is accepted; None for anything else."""
    found = _MSISDN.fullmatch(text)
    return None if found is None else int(found[1])
