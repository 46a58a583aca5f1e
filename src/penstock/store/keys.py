"""
Accounts, traffic centres and API keys.

A key is given out once, ready for the ``Authorization`` header; only a hash of its secret stays.
The secret is 256 random bits, so a single SHA-256 is as good as a slow hash and costs a microsecond.
"""

import base64
import datetime as dt
import hashlib
import hmac
import secrets
from typing import NamedTuple

from penstock.domain.model import Caller
from penstock.store.database import Connection
from penstock.store.statements import Statements

SQL = Statements("key")


async def lock_accounts(connection: Connection) -> None:
    """Keep others from making accounts until this transaction ends."""
    await connection.execute(*SQL.lock_accounts())


async def count_accounts(connection: Connection) -> int:
    """Return how many accounts there are."""
    return int(await connection.fetchval(*SQL.count_accounts()))


async def create_account(connection: Connection, name: str, zone: str) -> int:
    """Store an account whose numbers without a zone of their own are in *zone*; returns its id."""
    return int(await connection.fetchval(*SQL.insert_account(name=name, default_zone=zone)))


async def find_account(connection: Connection, name: str) -> int | None:
    """Return the id of an account, None if there is none of that name."""
    found = await connection.fetchval(*SQL.find_account(name=name))
    return None if found is None else int(found)


async def find_or_create_traffic_center(connection: Connection, account_id: int, name: str) -> int:
    """Return the id of a traffic centre, which is made if need be."""
    return int(await connection.fetchval(*SQL.insert_traffic_center(account_id=account_id, name=name)))


async def create_key(connection: Connection, account_id: int, kind: int, traffic_center_id: int | None) -> str:
    """Store a key of *kind* 1…4 and return it as it goes into the header; it cannot be read again."""
    secret = secrets.token_urlsafe(32)
    key_id = await connection.fetchval(
        *SQL.insert_key(
            account_id=account_id, traffic_center_id=traffic_center_id, kind=kind, secret_hash=_digest(secret)
        )
    )
    return base64.b64encode(f"{key_id}:{secret}".encode()).decode()


class Key(NamedTuple):
    """A valid key."""

    secret_hash: bytes
    caller: Caller


class Version(NamedTuple):
    """What differs when a key was made or revoked."""

    valid: int
    newest_id: int | None
    revoked_at: dt.datetime | None


async def version(connection: Connection) -> Version:
    """Look whether anything can have changed."""
    return Version(*await connection.fetchrow(*SQL.look_at_keys()) or (0, None, None))


async def keys_made(connection: Connection, after_id: int) -> dict[int, Key]:
    """Return the keys with ids above *after_id* that are not revoked, by their ids."""
    rows = await connection.fetch(*SQL.list_keys(after_id=after_id))
    return {
        row["id"]: Key(row["secret_hash"], Caller(row["account_id"], row["id"], row["kind"], row["traffic_center_id"]))
        for row in rows
    }


async def keys_revoked(connection: Connection, since: dt.datetime) -> list[int]:
    """Return the ids of the keys that were revoked at *since* or later."""
    return [row["id"] for row in await connection.fetch(*SQL.list_revoked_keys(since=since))]


def is_secret(key: Key, secret: str) -> bool:
    """Tell, in a time that does not depend on how much of it is right, whether *secret* is that of *key*."""
    return hmac.compare_digest(key.secret_hash, _digest(secret))


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
