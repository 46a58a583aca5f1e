"""
Plays every case of ``cases/*.json``.

A file holds cases of one subject; a case is a promise, what is given, and steps.  A step sends a
request — ``json``, ``body`` (text), or ``gzip`` (text that is packed) — and tells what is expected:
``status``, ``json`` or ``text``, and ``headers`` (null: the header is absent).  The key of kind 1 is
sent unless the step says otherwise (``"key": null`` sends none).  ``"meanwhile": "release"`` lets the
carrier answer while the request waits.
"""

import asyncio
import gzip
import json
from pathlib import Path

import httpx
import pytest

from tests.harness.stage import Stage
from tests.wire.given import Scene
from tests.wire.matching import Variables, difference, fill_in

#: Said here, because a mark that is added after collection loses the parameters of a test.
pytestmark = pytest.mark.anyio

CASES = sorted((Path(__file__).parent / "cases").glob("*.json"))


def _load() -> list:
    return [
        pytest.param(case, id=f"{path.stem}: {case['promise']}")
        for path in CASES
        for case in json.loads(path.read_text(encoding="utf-8"))
    ]


@pytest.mark.parametrize("case", _load())
async def test_the_wire_keeps_its_contract(case, stage: Stage, wire_client: httpx.AsyncClient):
    """
    Each request gets, byte for byte, the answer that the contract gives it.
    """
    scene = Scene(stage)
    await scene.set_up(case.get("given", {}))
    try:
        for number, step in enumerate(case["steps"], 1):
            await _play(step, scene, wire_client, f"step {number}")
    finally:
        await scene.strike()


async def _play(step: dict, scene: Scene, client: httpx.AsyncClient, place: str) -> None:
    asking = asyncio.create_task(client.send(_request(step["request"], scene.variables, client)))
    if step.get("meanwhile") == "release":
        await scene.release()
    response = await asking
    expected = fill_in(step["expect"], scene.variables)
    assert response.status_code == expected["status"], f"{place}: {response.status_code} {response.text[:500]}"
    if "json" in expected:
        assert response.headers["content-type"] == "application/json", place
        problem = difference(expected["json"], response.json(), scene.variables, place)
        assert problem is None, problem
    if "text" in expected:
        problem = difference(expected["text"], response.text, scene.variables, place)
        assert problem is None, problem
    for name, value in expected.get("headers", {}).items():
        assert response.headers.get(name) == value, f"{place}: header {name}"


def _request(request: dict, variables: Variables, client: httpx.AsyncClient) -> httpx.Request:
    headers = {name: str(fill_in(value, variables)) for name, value in request.get("headers", {}).items()}
    key = fill_in(request.get("key", "$token_1"), variables)
    if key is not None:
        headers["Authorization"] = f"Basic {key}"
    content = None
    if "json" in request:
        content = json.dumps(fill_in(request["json"], variables), ensure_ascii=False).encode()
        headers.setdefault("Content-Type", "application/json")
    elif "body" in request:
        content = (request["body"] * request.get("times", 1)).encode("utf-8", "surrogateescape")
    elif "gzip" in request:
        content = gzip.compress((request["gzip"] * request.get("times", 1)).encode())
        headers["Content-Encoding"] = "gzip"
    return client.build_request(
        request.get("method", "GET"), fill_in(request["path"], variables), content=content, headers=headers
    )
