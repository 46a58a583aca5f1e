"""
Wrong keys: answered cheaply, limited by address, and never at the cost of good ones.
"""

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator

import httpx
import pytest

from penstock.engine.keys import BELIEVED_SECONDS, Keys
from penstock.http.guesses import ALLOWANCE, REGAINED_SECONDS
from penstock.store.database import Connection, Database
from tests.abuse.conftest import ClientAt, make_key
from tests.harness.postgres import Server
from tests.harness.stage import Stage
from tests.harness.waiting import until

PATH = "/api/v1/dispatch"
GUESSES = [
    "guess",
    "====",
    base64.b64encode(b"100001:guess").decode(),
    base64.b64encode(b"999999999:guess").decode(),
    base64.b64encode(b"99999999999999999999999:guess").decode(),
    base64.b64encode(b"100001:\xff").decode(),
    base64.b64encode(b"100001:\0").decode(),
]


async def ask(client: httpx.AsyncClient, key: str) -> httpx.Response:
    """Ask for something with *key*."""
    return await client.get(PATH, headers={"Authorization": f"Basic {key}"})


async def spend(client: httpx.AsyncClient) -> None:
    """Spend the allowance of an address."""
    for number in range(ALLOWANCE):
        response = await ask(client, GUESSES[number % len(GUESSES)])
        assert (response.status_code, response.json()["error"]["code"]) == (401, 4012)


@pytest.mark.parametrize("guess", GUESSES)
async def test_an_address_that_guesses_is_asked_to_wait(client_at: ClientAt, stage: Stage, guess: str) -> None:
    """After some wrong keys an address learns when it may try again."""
    await make_key(stage)
    client = client_at("192.0.2.1")
    await spend(client)
    response = await ask(client, guess)

    assert (response.status_code, response.json()) == (429, {"error": {"code": 4290, "msg": "Too many requests"}})
    assert 1 <= int(response.headers["retry-after"]) <= REGAINED_SECONDS


async def test_a_good_key_is_good_from_an_address_that_guesses(client_at: ClientAt, stage: Stage) -> None:
    """Whoever shares an address with a guesser, as behind a proxy, does not suffer for it."""
    key = await make_key(stage)
    client = client_at("192.0.2.1")
    await spend(client)

    assert [(await ask(client, key)).status_code for _ in range(5)] == [200] * 5
    assert (await ask(client, "guess")).status_code == 429


async def test_other_addresses_are_not_limited(client_at: ClientAt) -> None:
    """The allowance is that of one address."""
    await spend(client_at("192.0.2.1"))

    assert (await ask(client_at("192.0.2.2"), "guess")).status_code == 401


async def test_addresses_of_one_subscriber_share_an_allowance(client_at: ClientAt) -> None:
    """Whoever has 64 bits of IPv6 addresses has no more allowance than others."""
    await spend(client_at("2001:db8::1"))

    assert (await ask(client_at("2001:db8::ffff:2"), "guess")).status_code == 429
    assert (await ask(client_at("2001:db8:0:1::1"), "guess")).status_code == 401


async def test_a_key_made_now_works_now(client_at: ClientAt, stage: Stage) -> None:
    """An operator who makes a key can use it at once."""
    client = client_at("192.0.2.1")
    assert (await ask(client, await make_key(stage))).status_code == 200
    assert (await ask(client, await make_key(stage))).status_code == 200


async def test_a_key_made_during_an_attack_works_soon(client_at: ClientAt, stage: Stage) -> None:
    """Behind the address of a guesser a new key works after seconds at the most."""
    client = client_at("192.0.2.1")
    await spend(client)
    key = await make_key(stage)

    async def works() -> bool:
        return (await ask(client, key)).status_code == 200

    await until(works, what="the new key to work", seconds=2 * BELIEVED_SECONDS)


async def test_a_revoked_key_is_refused_soon(client_at: ClientAt, stage: Stage) -> None:
    """A revoked key opens nothing after two seconds."""
    client, key = client_at("192.0.2.1"), await make_key(stage)
    assert (await ask(client, key)).status_code == 200
    async with stage.database.connection() as connection:
        await connection.execute("UPDATE api_key SET revoked_at = now()")

    async def is_refused() -> bool:
        return (await ask(client, key)).status_code == 401

    await until(is_refused, what="the key to be refused", seconds=2 * BELIEVED_SECONDS)


class CountingDatabase(Database):
    """The real one, which counts how often it is asked."""

    asked = 0

    @contextlib.asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Lend a connection."""
        self.asked += 1
        async with super().connection() as connection:
            yield connection


async def test_guesses_share_what_they_cost(server: Server, stage: Stage) -> None:
    """A thousand guesses at once, from as many addresses, ask the database a few times; wrong secrets never do."""
    key_id = int(base64.b64decode(await make_key(stage)).partition(b":")[0])
    database = await CountingDatabase.connect(server.shared, size=2)
    try:
        keys = Keys(database)
        assert set(await asyncio.gather(*(keys.authenticate(10**9 + at, "guess") for at in range(1000)))) == {None}
        assert 1 <= database.asked <= 3
        asked = database.asked
        assert set(await asyncio.gather(*(keys.authenticate(key_id, f"{at}") for at in range(1000)))) == {None}
        assert database.asked == asked
    finally:
        await database.close()


async def test_secrets_are_nowhere_in_the_database(client_at: ClientAt, stage: Stage) -> None:
    """Whoever reads the whole database finds no key and no secret in it."""
    key = await make_key(stage)
    secret = base64.b64decode(key).decode().partition(":")[2]
    client = client_at("192.0.2.1")
    headers = {"Authorization": f"Basic {key}", "Idempotency-Key": "once"}
    body = {"dispatchName": "spring", "senderName": "shop", "content": "hello"}
    assert (await client.post(PATH, headers=headers, json=body)).status_code == 200

    tables = await stage.fetch(
        "SELECT oid::regclass::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')"
    )
    rows = [str(row) for (table,) in tables for row in await stage.fetch(f"SELECT t::text FROM {table} t")]

    assert any("spring" in row for row in rows)
    for hidden in (key, secret, secret.encode().hex()):
        assert [row for row in rows if hidden in row] == []
