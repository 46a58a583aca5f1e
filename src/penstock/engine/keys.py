"""
API keys: who asks.

All valid keys are known here by heart, as hashes of their secrets: a wrong one costs some
microseconds and never a statement.  The database is asked every `BELIEVED_SECONDS` whether its keys
have changed, and sooner when a key comes that is not known: it may have been made just now.  Such
looks are shared by all who wait for one, and are `BETWEEN_LOOKS` apart.
"""

import asyncio
import time

from penstock.domain.model import Caller
from penstock.store import keys
from penstock.store.database import Connection, Database
from penstock.store.rows import BEGINNING

#: How long keys are believed without a look at the database: a revoked one works that much longer.
BELIEVED_SECONDS = 2.0
#: Guesses at keys that do not exist bring no more than so many looks.
BETWEEN_LOOKS = 0.05


class Keys:
    """Authenticates API keys from memory."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[int, keys.Key] = {}
        self._version: keys.Version | None = None
        self._looked_at = float("-inf")
        self._looking: asyncio.Task[None] | None = None

    async def authenticate(self, key_id: int, secret: str, *, look: bool = True) -> Caller | None:
        """
        Return the caller behind a key; None for an unknown, revoked or wrong one.

        A key that is not known is looked for in the database, unless *look* is false.
        """
        now = time.monotonic()
        if now >= self._looked_at + BELIEVED_SECONDS:
            await self._look(now - BELIEVED_SECONDS)
        key = self._known.get(key_id)
        if key is None and look:
            await self._look(now)
            key = self._known.get(key_id)
        return None if key is None or not keys.is_secret(key, secret) else key.caller

    async def _look(self, since: float) -> None:
        """Wait for a look at the database that began after *since*; raises StoreUnavailable."""
        while self._looked_at <= since:
            if self._looking is None or self._looking.done():
                self._looking = asyncio.create_task(self._look_once())
                self._looking.add_done_callback(_hear)
            # Whoever waits may be cancelled; the others go on waiting.
            await asyncio.shield(self._looking)

    async def _look_once(self) -> None:
        await asyncio.sleep(self._looked_at + BETWEEN_LOOKS - time.monotonic())
        looked_at = time.monotonic()
        async with self._database.connection() as connection:
            version = await keys.version(connection)
            if version != self._version:
                await self._learn(connection, version)
        self._looked_at = looked_at

    async def _learn(self, connection: Connection, version: keys.Version) -> None:
        """Read what has changed; everything, where that does not lead to as many keys as there are."""
        before, self._version = self._version, None
        if before is not None:
            self._known |= await keys.keys_made(connection, before.newest_id or 0)
            for key_id in await keys.keys_revoked(connection, before.revoked_at or BEGINNING):
                self._known.pop(key_id, None)
        if before is None or len(self._known) != version.valid:
            self._known = await keys.keys_made(connection, 0)
        self._version = version


def _hear(looking: asyncio.Task[None]) -> None:
    """Take note of how a look ended, also when nobody waits for it any more."""
    if not looking.cancelled():
        looking.exception()
