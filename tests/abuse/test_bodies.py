"""
Bodies that are meant to hurt: too deep, too big, packed, not text, not JSON.
"""

import gzip
import itertools
import json
import zlib
from collections.abc import AsyncIterator

import httpx
import pytest

from penstock.engine.filling import ERRORS_TOLD
from tests.abuse.conftest import ClientAt, make_key
from tests.harness.stage import Stage
from tests.wire.conftest import LIMITS

DISPATCH = {"dispatchName": "spring", "senderName": "shop", "content": "hello {name}"}
MESSAGE = {"channelType": "SMS", "senderName": "shop", "destination": "79990001122", "content": "hello"}
ENTRY = {"destination": "79990001122", "substitutions": {"name": "Anna"}}


@pytest.fixture
async def client(client_at: ClientAt, stage: Stage) -> AsyncIterator[httpx.AsyncClient]:
    """Have a good key."""
    client = client_at("192.0.2.1")
    client.headers["Authorization"] = f"Basic {await make_key(stage)}"
    return client


@pytest.fixture
async def paths(stage: Stage) -> dict[str, str]:
    """Return where JSON is taken."""
    dispatch_id = await stage.create(content="hello {name}")
    return {
        "create": "/api/v1/dispatch",
        "fill": f"/api/v1/dispatch/{dispatch_id}/messages",
        "send": "/api/v1/message",
        "stop": "/api/v1/message/stop",
        "change": f"/api/penstock/v1/dispatch/{dispatch_id}",
    }


async def post(client: httpx.AsyncClient, path: str, body: bytes) -> tuple[int, int | None, str]:
    """Send a body of JSON; returns status, code and message."""
    method = "PATCH" if path.startswith("/api/penstock") else "POST"
    response = await client.request(method, path, content=body, headers={"Content-Type": "application/json"})
    error = {} if response.status_code == 200 else response.json()["error"]
    return response.status_code, error.get("code"), error.get("msg", "")


def deep(depth: int, inner: str = "") -> str:
    """Return arrays in arrays."""
    return "[" * depth + inner + "]" * depth


NESTED = [
    deep(100_000),
    "[" * 100_000,
    '{"a":' * 40_000,
    '{"uuids": ["x"], "rate": null, "extra": ' + deep(100_000) + "}",
    '{"channelType": "SMS", "senderName": "shop", "destination": "7", "content": ' + deep(50_000) + "}",
]


async def test_nesting_without_end_is_refused(client: httpx.AsyncClient, paths: dict[str, str]) -> None:
    """A body nested a hundred thousand deep is the client's mistake, not the server's end."""
    for place, body in itertools.product(paths, NESTED):
        assert (await post(client, paths[place], body.encode()))[:2] == (400, 4000), (place, body[:50])


async def test_no_depth_slips_between_the_decoder_and_what_looks_at_its_result(
    client: httpx.AsyncClient, paths: dict[str, str]
) -> None:
    """Whatever depth the decoder still takes, a forbidden character in the middle is found or the depth refused."""
    for depth in (*range(100, 1100, 50), *range(880, 1000, 7)):
        body = json.dumps(MESSAGE)[:-1] + ', "content": ' + deep(depth, r'"\u0000"') + "}"
        assert (await post(client, paths["send"], body.encode()))[:2] == (400, 4000), depth


@pytest.mark.parametrize(
    ("place", "body", "complaint"),
    [
        ("send", MESSAGE | {"content": "a\0b"}, "content: the character U+0000 is not allowed"),
        ("send", [MESSAGE, MESSAGE | {"tags": ["a\0"]}], "[1].tags[0]: the character U+0000 is not allowed"),
        ("create", DISPATCH | {"dispatchName": "\0"}, "dispatchName: the character U+0000 is not allowed"),
        ("fill", [{"destination": "7", "substitutions": {"name": "\0"}}],
         "[0].substitutions.name: the character U+0000 is not allowed"),
        ("stop", {"uuids": ["\0"]}, "uuids[0]: the character U+0000 is not allowed"),
    ],
)  # fmt: skip
async def test_a_nul_is_refused_by_the_name_of_its_field(
    client: httpx.AsyncClient, paths: dict[str, str], place, body, complaint
) -> None:
    """What PostgreSQL cannot store is found before it gets there, and the client is told where."""
    assert await post(client, paths[place], json.dumps(body).encode()) == (400, 4000, complaint)


@pytest.mark.parametrize("name", ["\0", "\ud800", "a\udfff"])
async def test_a_query_without_text_is_refused(client: httpx.AsyncClient, name: str) -> None:
    """A parameter that is not text, or holds a NUL, is the client's mistake."""
    coded = "".join(f"%{octet:02x}" for octet in name.encode("utf-8", "surrogatepass"))
    response = await client.get(f"/api/v1/dispatch?dispatch_name={coded}")

    assert (response.status_code, response.json()["error"]["code"]) == (400, 4000)


VALUES = [
        b'"\xff"', b'"\xed\xa0\x80"', rb'"\ud800"', rb'"\udc00 \ud800"', b"NaN", b"Infinity", b"-Infinity",
        b"1e999", b"-1e999", b"1" * 400, b"1" * 5_000, b"1" * 200_000, b"-" + b"9" * 5_000, b"1." + b"1" * 5_000,
        b"1e-999999999", b"0x10", b"'a'", b"tru", b"\xef\xbb\xbf1", b"", b"\0", b"/**/1", b"1,", b'"\x01"', b'"\\x"',
]  # fmt: skip


@pytest.mark.parametrize(
    ("place", "body"),
    [
        ("create", json.dumps(DISPATCH)[:-1] + ', "ttl": %}'),
        ("create", json.dumps(DISPATCH)[:-1] + ', "dispatchName": %}'),
        ("fill", '[{"destination": "79990001122", "substitutions": {"name": %}}]'),
        ("fill", '[{"destination": %}]'),
        ("send", json.dumps(MESSAGE)[:-1] + ', "content": %}'),
        ("send", json.dumps(MESSAGE)[:-1] + ', "unknown": %}'),
        ("change", '{"rate": {"unit": "d", "value": %}}'),
        ("stop", '{"uuids": [%]}'),
    ],
)
async def test_no_value_is_more_than_a_mistake(client: httpx.AsyncClient, paths: dict[str, str], place, body) -> None:
    """Numbers beyond all bounds, broken text and what is not JSON are taken or refused, nothing else."""
    for text in VALUES:
        status, code, _ = await post(client, paths[place], body.encode().replace(b"%", text))
        assert status == 200 or (status, code) in ((400, 4000), (413, 4130), (403, 4031)), text[:50]


async def test_the_last_of_equal_keys_counts(client: httpx.AsyncClient, paths: dict[str, str]) -> None:
    """A key that comes twice is taken once, the last, as every JSON library does."""
    body = json.dumps(DISPATCH)[:-1] + ', "content": "first", "content": "last"}'
    assert (await post(client, paths["create"], body.encode()))[0] == 200
    newest = (await client.get("/api/v1/dispatch?per_page=1")).json()["items"][0]

    assert newest["message"] == "last"


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "gzip, gzip", "identity, gzip", "chunked"])
async def test_packed_json_is_not_taken(client: httpx.AsyncClient, paths: dict[str, str], encoding: str) -> None:
    """JSON comes as it is: nothing is unpacked that could grow."""
    headers = {"Content-Type": "application/json", "Content-Encoding": encoding}
    response = await client.post(paths["create"], content=gzip.compress(bytes(10**6)), headers=headers)

    assert (response.status_code, response.json()["error"]["code"]) == (415, 4150)


# Files.


async def test_a_file_of_nothing_but_mistakes_fills_no_memory(client: httpx.AsyncClient, stage: Stage) -> None:
    """Of very many wrong rows the first are told, and of a very long destination the beginning."""
    dispatch_id = await stage.create()
    lines = b"destination\n" + b"x" * 100_000 + b"\n" + b"x\n" * ERRORS_TOLD
    path = f"/api/penstock/v1/dispatch/{dispatch_id}/messages"
    response = await client.post(path, content=lines, headers={"Content-Type": "text/csv"})

    body = response.json()
    assert (body["total"], body["accepted"], len(body["errors"])) == (ERRORS_TOLD + 1, 0, ERRORS_TOLD)
    assert body["errors"][0]["destination"] == "x" * 64


async def upload(client: httpx.AsyncClient, stage: Stage, body, encoding: str = "gzip") -> tuple[int, int | None, str]:
    """Fill a dispatch from a packed file; returns status, code and message."""
    dispatch_id = await stage.create()
    response = await client.post(
        f"/api/penstock/v1/dispatch/{dispatch_id}/messages",
        content=body,
        headers={"Content-Type": "text/csv", "Content-Encoding": encoding},
    )
    error = response.json().get("error", {})
    assert await stage.fetch("SELECT count(*) FROM message") == [(0,)] or response.status_code == 200
    return response.status_code, error.get("code"), error.get("msg", "")


def bomb(megabytes: int) -> bytes:
    """Return *megabytes* of lines, packed a thousandfold."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    megabyte = (b"7" * 1023 + b"\n") * 1024
    packed = [packer.compress(b"destination\n"), *(packer.compress(megabyte) for _ in range(megabytes))]
    return b"".join((*packed, packer.flush()))


@pytest.mark.parametrize("layers", [1, 2])
async def test_a_bomb_is_refused(client: httpx.AsyncClient, stage: Stage, layers: int) -> None:
    """A small file that unpacks to hundreds of megabytes is refused long before, and nothing of it stays."""
    body = bomb(200)
    for _ in range(layers - 1):
        body = gzip.compress(body)
    assert len(body) < LIMITS.max_file_bytes

    status, code, _ = await upload(client, stage, body)
    assert (status, code) == ((413, 4130) if layers == 1 else (400, 4000))


@pytest.mark.parametrize("encoding", ["gzip, gzip", "deflate", "br", "zstd", "gzip;q=1", "compress", "identity, gzip"])
async def test_other_packings_are_not_taken(client: httpx.AsyncClient, stage: Stage, encoding: str) -> None:
    """Only gzip is unpacked, and only once."""
    assert (await upload(client, stage, gzip.compress(b"destination\n7\n"), encoding))[:2] == (415, 4150)


async def test_a_packed_file_cut_anywhere_is_refused(client: httpx.AsyncClient, stage: Stage) -> None:
    """Whatever of a packed file is missing, nothing of it is taken."""
    packed = gzip.compress(b"destination\n" + b"".join(b"7999%07d\n" % number for number in range(100)))
    for end in itertools.chain(range(0, 30, 3), range(30, len(packed), 40), [len(packed) - 1]):
        assert (await upload(client, stage, packed[:end]))[:2] == (400, 4000), end


async def test_empty_members_by_the_million_are_refused(client: httpx.AsyncClient, stage: Stage) -> None:
    """A file of nothing but empty members is refused: each costs more to unpack than it says."""
    body = gzip.compress(b"destination\n") + gzip.compress(b"") * 40_000

    assert (await upload(client, stage, body))[:2] == (400, 4000)
