"""
Nothing of people in the logs: no text, no number, no name, no key.
"""

import base64
import json
from pathlib import Path

import asyncpg

from penstock.store.postmaster import address, read_running
from tests.harness.client import Client
from tests.harness.programs import running_serve, running_smsc
from tests.harness.waiting import until

TEXT = "Zwiebelkuchen"
NAME = "Bartholomäus"
NUMBERS = [79_163_141_592 + step for step in range(12)]
WORDS = (TEXT, NAME, NAME.encode().decode("latin-1"), "Bartholom", "Quittenmus", "schwarzwald", "geheimnis")


async def misbehave(client: Client, dispatch_id: int) -> None:
    """Send what is refused, each with something personal in it."""
    path = f"/api/v1/dispatch/{dispatch_id}/messages"
    own = f"/api/penstock/v1/dispatch/{dispatch_id}/messages"
    number = str(NUMBERS[0])
    bad: list[tuple[str, dict[str, object]]] = [
        ("/api/v1/dispatch", {"data": f'{{"content": "{TEXT}'.encode()}),
        ("/api/v1/dispatch", {"json": {"dispatchName": NAME, "senderName": TEXT, "content": f"{{{TEXT}"}}),
        (path, {"json": [{"destination": number, "substitutions": {"name": f"{NAME}\0"}}]}),
        (path, {"data": b"\xff" + number.encode(), "headers": {"Content-Type": "application/json"}}),
        (own, {"data": f"destination,name\n{number},{NAME},{TEXT},1\n".encode(),
               "headers": {"Content-Type": "text/csv"}}),
        (own, {"data": f"{number},{NAME}\n".encode() * 2, "headers": {"Content-Type": "text/csv"}}),
        (f"/api/v1/dispatch/{number}/start", {}),
        (f"/api/{TEXT}/{number}", {}),
        (path, {"json": [], "headers": {"Authorization": "Basic " + base64.b64encode(b"100001:geheimnis").decode()}}),
        (path, {"json": [], "headers": {"Authorization": "Basic geheimnis"}}),
    ]  # fmt: skip
    for at, options in bad:
        assert (await client.ask("POST", at, **options)).status >= 400, at


async def break_store(dsn: str) -> asyncpg.Connection:
    """Let PostgreSQL refuse every new message, as a full disk or a damaged index would; returns who can undo it."""
    connection = await asyncpg.connect(dsn)
    await connection.execute("ALTER TABLE message ADD CONSTRAINT refused CHECK (false) NOT VALID")
    return connection


async def test_logs_and_metrics_hold_nothing_personal(tmp_path: Path) -> None:
    """Through success, refusal, receipts and failures of our own, logs and metrics tell nothing of people."""
    async with (
        running_smsc(tmp_path, "--refuse", "0.4", "--dlr-failed", "0.5") as smsc,
        running_serve(tmp_path, smsc.port, senders=1) as serve,
    ):
        client = serve.client
        secret = client._session.headers["Authorization"].split()[1]
        dispatch_id = await client.create(content=f"{TEXT} {{name}}", dispatchName="Quittenmus")
        entries = [{"destination": str(number), "substitutions": {"name": NAME}} for number in NUMBERS[:9]]
        await client.ask_ok("POST", f"/api/v1/dispatch/{dispatch_id}/messages", json=entries)
        await misbehave(client, dispatch_id)
        message = {"channelType": "SMS", "senderName": "schwarzwald", "destination": str(NUMBERS[9]), "content": TEXT}
        await client.ask_ok("POST", "/api/v1/message", json=message)
        await client.start(dispatch_id)

        async def is_sent() -> bool:
            return (await client.counts(dispatch_id))["sending"] == 0

        await until(is_sent, what="the dispatch to be sent")

        running = read_running(serve.data / "postgres")
        assert running is not None
        broken = await break_store(address(running.socket_folder))
        other = await client.create(content=f"{TEXT} {{name}}")
        path = f"/api/v1/dispatch/{other}/messages"
        assert (await client.ask("POST", path, json=entries)).status == 500
        assert (await client.ask("POST", "/api/v1/message", json=message)).status == 500
        csv = f"destination,name\n{NUMBERS[10]},{NAME}\n".encode()
        own = f"/api/penstock/v1/dispatch/{other}/messages"
        assert (await client.ask("POST", own, data=csv, headers={"Content-Type": "text/csv"})).status == 500
        await broken.execute("ALTER TABLE message DROP CONSTRAINT refused")
        await broken.close()
        metrics = (await client.ask("GET", "/metrics")).body.decode()
        keys = json.loads((serve.data / "keys.json").read_text(encoding="utf-8")).values()

    said = "\n".join([metrics, *(path.read_text(encoding="utf-8", errors="replace") for path in _logs(tmp_path))])
    assert "request_failed" in said
    assert "CheckViolation" in said
    secrets = [word for key in (secret, *keys) for word in (key, base64.b64decode(key).decode().partition(":")[2])]
    found = [word for word in (*WORDS, *map(str, NUMBERS), *secrets) if word in said]
    assert found == []


def _logs(folder: Path) -> list[Path]:
    """Return every file that something was logged to, PostgreSQL's own among them."""
    return [
        folder / "smsc.log",
        folder / "serve.log",
        *(folder / "data").rglob("*.log"),
        *(folder / "data").rglob("log/*"),
    ]
