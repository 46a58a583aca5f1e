"""
One account never reaches what belongs to another, whatever it asks.
"""

from collections.abc import Awaitable, Callable

import httpx
import pytest

from penstock.domain.lifecycle import SubmissionOutcome
from tests.abuse.conftest import ClientAt, make_key
from tests.harness.stage import FIRST_DESTINATION, Stage

#: What must show up in no answer to a stranger.
PRIVATE = ("hello-private", "spring", "shop", str(FIRST_DESTINATION), str(FIRST_DESTINATION + 1))
BODIES = {
    ("POST", "/api/v1/dispatch/{dispatch_id}/messages"): [{"destination": "79990001122"}],
    ("PATCH", "/api/penstock/v1/dispatch/{dispatch_id}"): {"rate": None},
}


class Owner:
    """The account whose data a stranger asks for."""

    def __init__(self, dispatch_id: int, uuid: str) -> None:
        self.dispatch_id = dispatch_id
        self.uuid = uuid


async def initiated(stage: Stage) -> Owner:
    """Have a dispatch that is being filled."""
    dispatch_id = await stage.create(content="hello-private")
    return Owner(dispatch_id, str((await stage.fill(dispatch_id, 2))[0]))


async def sending(stage: Stage) -> Owner:
    """Have one of which a message was accepted."""
    owner = await initiated(stage)
    await stage.dispatches.start(stage.caller, owner.dispatch_id)
    sender = await stage.enter()
    await sender.claim(1)
    sender.answer(sender.write(1), SubmissionOutcome.ACCEPTED)
    sender.give_back()
    await sender.record()
    return owner


async def paused(stage: Stage) -> Owner:
    """Have one that is paused."""
    owner = await sending(stage)
    await stage.stops.pause(stage.caller, owner.dispatch_id)
    return owner


async def stopped(stage: Stage) -> Owner:
    """Have one with a stop receipt."""
    owner = await sending(stage)
    await stage.stops.stop(stage.caller, owner.dispatch_id)
    return owner


async def everything(stage: Stage) -> list[tuple[object, ...]]:
    """Return all rows that the owner has."""
    tables = ("dispatch", "message", "slice", "claim", "submission", "receipt", "tally", "stop_receipt", "halt")
    there = {str(name) for (name,) in await stage.fetch("SELECT relname FROM pg_class WHERE relkind IN ('r', 'p')")}
    rows: list[tuple[object, ...]] = []
    for table in sorted(there.intersection(tables)):
        rows += await stage.fetch(f"SELECT '{table}', t::text FROM {table} t ORDER BY 2")
    return rows


def not_found(response: httpx.Response) -> None:
    """Expect what is said of things that do not exist."""
    assert (response.status_code, response.json()["error"]["code"]) in ((404, 4040), (404, 404)), response.text


def nothing(response: httpx.Response) -> None:
    """Expect a list without elements."""
    assert (response.status_code, response.json()) == (200, {"total": 0, "items": []})


def unknown_items(response: httpx.Response) -> None:
    """Expect that none of the messages is known."""
    assert response.status_code == 200
    assert {item["code"] for item in response.json()["items"]} == {404}


Expectation = Callable[[httpx.Response], None]

#: Operations that name nothing of another's: what is made belongs to whoever asks.
HARMLESS = {("POST", "/api/v1/dispatch"), ("POST", "/api/v1/message"), ("GET", "/api/v1/ping"), ("GET", "/ping")}
#: Operations without another's id in the path: how they are asked for it, and what is expected.
SPECIAL: dict[tuple[str, str], tuple[Callable[[Owner], dict[str, object]], Expectation]] = {
    ("GET", "/api/v1/dispatch"): (lambda owner: {"params": {"dispatch_id": owner.dispatch_id}}, nothing),
    ("POST", "/api/v1/message/stop"): (lambda owner: {"json": {"uuids": [owner.uuid]}}, unknown_items),
}


async def ask(client: httpx.AsyncClient, owner: Owner, method: str, path: str) -> None:
    """Ask for what is the owner's by one operation."""
    body = BODIES.get((method, path))
    options: dict[str, object] = {} if body is None else {"json": body}
    expect: Expectation = not_found
    if (method, path) in SPECIAL:
        make, expect = SPECIAL[method, path]
        options = make(owner)
    elif path == "/api/penstock/v1/dispatch/{dispatch_id}/messages" and method == "POST":
        options = {"content": b"destination\n79990001122\n", "headers": {"Content-Type": "text/csv"}}
    filled = path.format(dispatch_id=owner.dispatch_id, message_uuid=owner.uuid)
    assert "{" in path or (method, path) in SPECIAL, f"{method} {path}: say here how it could reach another's data"
    response = await client.request(method, filled, **options)
    expect(response)
    assert [word for word in PRIVATE if word in response.text] == []


@pytest.mark.parametrize("have", [initiated, sending, paused, stopped])
async def test_no_operation_reaches_another_account(
    client_at: ClientAt, stage: Stage, have: Callable[[Stage], Awaitable[Owner]]
) -> None:
    """Every operation of the document, with another account's ids, finds nothing and changes nothing."""
    owner = await have(stage)
    client = client_at("192.0.2.1")
    client.headers["Authorization"] = f"Basic {await make_key(stage, 'stranger')}"
    before = await everything(stage)
    document = (await client.get("/openapi.json")).json()
    asked = 0
    for path, methods in document["paths"].items():
        for method in methods:
            if (method.upper(), path) not in HARMLESS:
                await ask(client, owner, method.upper(), path)
                asked += 1

    assert asked >= 13
    assert await everything(stage) == before


async def test_no_filter_of_the_list_shows_another_account(client_at: ClientAt, stage: Stage) -> None:
    """Whatever a list is filtered by, it holds one's own only."""
    await stopped(stage)
    client = client_at("192.0.2.1")
    client.headers["Authorization"] = f"Basic {await make_key(stage, 'stranger')}"
    for query in ("", "?dispatch_name=spring", "?status=stopped", "?created_from=2020-01-01T00:00:00Z"):
        nothing(await client.get(f"/api/v1/dispatch{query}"))
    center_id = stage.caller.traffic_center_id
    nothing(await client.get(f"/api/v1/dispatch?traffic_center_id={center_id}"))


async def test_an_idempotency_key_of_another_account_is_another(client_at: ClientAt, stage: Stage) -> None:
    """The same Idempotency-Key of two accounts gives each its own answer."""
    made = []
    for key in (await make_key(stage), await make_key(stage, "stranger")):
        client = client_at("192.0.2.1")
        headers = {"Authorization": f"Basic {key}", "Idempotency-Key": "once"}
        body = {"dispatchName": "mine", "senderName": "shop", "content": "hello"}
        made.append((await client.post("/api/v1/dispatch", headers=headers, json=body)).json()["dispatchId"])

    assert len(set(made)) == 2
