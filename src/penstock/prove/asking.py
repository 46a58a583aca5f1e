"""
What a proof asks of a server, in the words of its API, however often it takes to get an answer.

A connection may break because its process was killed, and 503 says that PostgreSQL is away: then
the same is asked again, with the same Idempotency-Key where something is created.  Anything else
that is not expected is a `Complaint`: an answer that no server should give.
"""

import asyncio
import secrets
from collections.abc import Sequence

import msgspec

from penstock.http import shapes
from penstock.prove.calls import Answer, Broken, Server, now
from penstock.prove.evidence import Halt

_OWN = "/api/penstock/v1/dispatch"
_DIRECT = "/api/v1/dispatch"
_AGAIN = 0.05  #: seconds between two attempts
#: Seconds in which an answer must come, faults or none.
PATIENCE = 150.0
_OK, _FORBIDDEN, _AWAY = 200, 403, 503
#: The most that one request may hold.
_BATCH = 1000


class Line(msgspec.Struct, rename="camel", frozen=True):
    """One message of an export, as far as it matters here."""

    message_uuid: str
    status: str
    error_code: int | None = None


class Complaint(Exception):
    """The server gave an answer that it should not give, or none."""


class Asker:
    """Asks one server."""

    def __init__(self, server: Server) -> None:
        self._server = server

    async def create(self, text: str) -> int:
        """Create a dispatch and return its id."""
        draft = {"dispatchName": "proof", "senderName": "Penstock", "content": text, "useLocalTime": False}
        answer = await self._create("/api/v1/dispatch", draft)
        return msgspec.json.decode(answer.body, type=shapes.DispatchId).dispatch_id

    async def fill(self, dispatch_id: int, numbers: range) -> list[str]:
        """Put messages into a dispatch and return their uuids, in order."""
        uuids: list[str] = []
        for at in range(0, len(numbers), _BATCH):
            entries = [{"destination": str(number)} for number in numbers[at : at + _BATCH]]
            answer = await self._create(f"{_DIRECT}/{dispatch_id}/messages", entries)
            items = msgspec.json.decode(answer.body, type=list[shapes.FilledItem])
            uuids += [item.message_uuid for item in items if isinstance(item.message_uuid, str)]
        if len(uuids) != len(numbers):
            raise Complaint(f"of {len(numbers)} messages {len(uuids)} were taken")
        return uuids

    async def send(self, numbers: range, text: str) -> list[str]:
        """Send single messages and return their uuids, in order."""
        wanted = [
            {"channelType": "SMS", "senderName": "Penstock", "destination": str(number), "content": text,
             "useLocalTime": False}
            for number in numbers
        ]  # fmt: skip
        answer = await self._create("/api/v1/message", wanted)
        items = msgspec.json.decode(answer.body, type=shapes.SendAnswer).items
        uuids = [item.message_uuid for item in items if isinstance(item.message_uuid, str)]
        if len(uuids) != len(numbers):
            raise Complaint(f"of {len(numbers)} messages {len(uuids)} were taken")
        return uuids

    async def start(self, dispatch_id: int) -> None:
        """Start a dispatch."""
        await self._move(f"{_DIRECT}/{dispatch_id}/start")

    async def resume(self, dispatch_id: int) -> None:
        """Go on with a paused dispatch."""
        await self._move(f"{_OWN}/{dispatch_id}/resume")

    async def stop(self, dispatch_id: int) -> Halt | None:
        """Stop a dispatch; None when it was over before."""
        return await self._halt(f"{_DIRECT}/{dispatch_id}/stop", dispatch_id, "stopped")

    async def pause(self, dispatch_id: int) -> Halt | None:
        """Pause a dispatch; None when it was over before."""
        return await self._halt(f"{_OWN}/{dispatch_id}/pause", dispatch_id, "paused")

    async def stop_messages(self, uuids: Sequence[str]) -> tuple[list[int], float]:
        """Stop messages by uuid; returns the code of each, and when the answer had come."""
        body = msgspec.json.encode({"uuids": uuids})
        answer, _ = await self._ask("POST", "/api/v1/message/stop", body, expected=(_OK,))
        items = msgspec.json.decode(answer.body, type=shapes.StopAnswer).items
        return [item.code for item in items], answer.read_at

    async def look(self, dispatch_id: int) -> shapes.ProgressAnswer:
        """Look at a dispatch."""
        answer, _ = await self._ask("GET", f"{_OWN}/{dispatch_id}", expected=(_OK,))
        found = msgspec.json.decode(answer.body, type=shapes.ProgressAnswer)
        for counts in (found.messages, found.parts):
            if counts.delivered + counts.undelivered + counts.unsent + counts.sent + counts.sending != counts.total:
                raise Complaint(f"dispatch {dispatch_id}: the counters do not add up: {counts}")
        return found

    async def receipt(self, dispatch_id: int) -> shapes.ReceiptAnswer:
        """Return the account of a stop."""
        answer, _ = await self._ask("GET", f"{_OWN}/{dispatch_id}/stop-receipt", expected=(_OK,))
        return msgspec.json.decode(answer.body, type=shapes.ReceiptAnswer)

    async def export(self, dispatch_id: int) -> list[Line]:
        """Return the outcome of every message of a dispatch."""
        answer, _ = await self._ask("GET", f"{_OWN}/{dispatch_id}/messages?format=json", expected=(_OK,))
        return msgspec.json.decode(answer.body, type=list[Line])

    async def message(self, uuid: str) -> shapes.MessageAnswer:
        """Look at one message."""
        answer, _ = await self._ask("GET", f"/api/v1/message/{uuid}", expected=(_OK,))
        return msgspec.json.decode(answer.body, type=shapes.MessageAnswer)

    async def _create(self, path: str, body: object) -> Answer:
        answer, _ = await self._ask(
            "POST", path, msgspec.json.encode(body), expected=(_OK,), once=secrets.token_hex(16)
        )
        return answer

    async def _move(self, path: str) -> None:
        """Ask for a move that, when asked for again, may have been made already."""
        answer, is_repeated = await self._ask("POST", path, expected=(_OK, _FORBIDDEN))
        if answer.status == _FORBIDDEN and not is_repeated:
            raise Complaint(f"POST {path}: {answer.status} {answer.body!r}")

    async def _halt(self, path: str, dispatch_id: int, status: str) -> Halt | None:
        asked_at = now()
        answer, is_repeated = await self._ask("POST", path, expected=(_OK, _FORBIDDEN))
        if answer.status == _OK:
            return Halt(asked_at, answer.read_at)
        # Somebody may have gone on with the stop whose answer was lost: then this one says that it is done.
        if is_repeated and (await self.look(dispatch_id)).status == status:
            return Halt(asked_at, answer.read_at)
        return None

    async def _ask(
        self, method: str, path: str, body: bytes = b"", *, expected: Sequence[int], once: str = ""
    ) -> tuple[Answer, bool]:
        """Ask until there is an answer; also tells whether it was asked for more than once."""
        deadline = now() + PATIENCE
        attempts = 0
        while True:
            attempts += 1
            last: object
            try:
                answer = await self._server.ask(method, path, body, once)
            except Broken as error:
                last = error
            else:
                if answer.status in expected:
                    return answer, attempts > 1
                last = f"{answer.status} {answer.body[:500]!r}"
                if answer.status != _AWAY:
                    raise Complaint(f"{method} {path}: {last}")
            if now() > deadline:
                raise Complaint(f"{method} {path}: no answer in {PATIENCE:.0f} s, at last {last}")
            await asyncio.sleep(_AGAIN)
