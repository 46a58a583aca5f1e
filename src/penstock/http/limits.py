"""
What the HTTP side is allowed, as the composition root decided it.
"""

import msgspec


class Limits(msgspec.Struct, frozen=True):
    """The bounds of a request, and the zone of local times that name none."""

    max_json_bytes: int = 8 * 1024 * 1024  #: of a JSON body
    max_file_bytes: int = 2 * 1024 * 1024 * 1024  #: of an uploaded file, as sent and as unpacked
    default_zone: str = "Europe/Moscow"  #: of a local time when ``useLocalTime`` is false
