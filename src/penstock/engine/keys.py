"""
API keys: who asks.
"""

import hashlib
import time

from penstock.domain.model import Caller
from penstock.store import keys
from penstock.store.database import Database

#: How long a key is believed without a look at the database: a revoked one works that much longer.
BELIEVED_SECONDS = 2.0
_KEPT = 10_000


class Keys:
    """Authenticates API keys, mostly from memory."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._believed: dict[tuple[int, bytes], tuple[float, Caller]] = {}

    async def authenticate(self, key_id: int, secret: str) -> Caller | None:
        """Return the caller behind a key; None for an unknown, revoked or wrong one."""
        mark = (key_id, hashlib.sha256(secret.encode()).digest())
        known = self._believed.get(mark)
        now = time.monotonic()
        if known is not None and now < known[0]:
            return known[1]
        async with self._database.connection() as connection:
            caller = await keys.find_caller(connection, key_id, secret)
        self._believed.pop(mark, None)
        if caller is not None:
            if len(self._believed) >= _KEPT:
                self._believed.clear()
            self._believed[mark] = (now + BELIEVED_SECONDS, caller)
        return caller
