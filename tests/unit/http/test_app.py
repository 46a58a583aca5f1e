"""
What happens at the edge of a request when something behind it fails.
"""

import pytest
from structlog.testing import capture_logs

from penstock.domain.errors import InsufficientFunds, StoreUnavailable, TooManyRequests
from tests.unit.http.stubs import client_of

START = "/api/v1/dispatch/10000000001/start"
EXPORT = "/api/penstock/v1/dispatch/10000000001/messages"


async def test_a_store_out_of_reach_asks_to_come_again():
    """
    When the store cannot be reached the client learns when to try again.
    """
    async with client_of(StoreUnavailable(3)) as client:
        response = await client.post(START)

    assert response.status_code == 503
    assert response.headers["retry-after"] == "3"
    assert response.json() == {"error": {"code": 5030, "msg": "Service unavailable"}}


async def test_too_many_requests_ask_to_come_again():
    """
    A client that asks too often learns when it may ask again.
    """
    async with client_of(TooManyRequests(60)) as client:
        response = await client.post(START)

    assert (response.status_code, response.headers["retry-after"]) == (429, "60")
    assert response.json() == {"error": {"code": 4290, "msg": "Too many requests"}}


async def test_every_caller_error_is_answered_with_its_own_code():
    """
    An error that no handler expected is still told by its status and code.
    """
    async with client_of(InsufficientFunds()) as client:
        response = await client.post(START)

    assert (response.status_code, response.json()["error"]["code"]) == (402, 402)


async def test_a_bug_tells_the_client_nothing_but_where_to_find_it():
    """
    A bug is answered without a trace of the code, and its request id leads to the log.
    """
    with capture_logs() as logs:
        async with client_of(ZeroDivisionError("secret detail")) as client:
            response = await client.post(START)

    assert response.status_code == 500
    assert response.json() == {"error": {"code": 5000, "msg": "Internal error"}}
    assert [line["request_id"] for line in logs] == [response.headers["x-request-id"]]


async def test_an_export_that_fails_in_the_middle_does_not_look_whole():
    """
    When an export breaks off, the connection breaks too instead of ending well.
    """
    async with client_of(ZeroDivisionError()) as client:
        with pytest.raises(ZeroDivisionError):
            await client.get(EXPORT)


async def test_metrics_are_shown_only_where_there_are_some():
    """
    The metrics page is there when the server was built with metrics.
    """

    async def metrics() -> bytes:
        return b"penstock_up 1\n"

    async with client_of(ZeroDivisionError(), metrics=metrics) as client:
        assert (await client.get("/metrics")).text == "penstock_up 1\n"
    async with client_of(ZeroDivisionError()) as client:
        assert (await client.get("/metrics")).status_code == 404
