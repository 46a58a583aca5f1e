"""
What callers are told.
"""

import inspect

import pytest

from penstock.domain import errors
from penstock.domain.errors import CallerError

#: HTTP status, code and text, as the contract prints them; the last four are our own.
CONTRACT = [
    (errors.NotAuthenticated(), 401, 4010, "Not Authenticated"),
    (errors.BadCredentials(), 401, 4012, "Bad credentials"),
    (errors.AccessDenied(), 403, 4030, "Access Denied"),
    (errors.InappropriateStatus(), 403, 4031, "Inappropriate dispatch status"),
    (errors.DispatchNotFound(10000100), 404, 4040, "Dispatch 10000100 not found"),
    (errors.DispatchNotFound("abc"), 404, 4040, "Dispatch abc not found"),
    (errors.BadRequest("ttl: expected an integer"), 400, 4000, "ttl: expected an integer"),
    (errors.InsufficientFunds(), 402, 402, "Insufficient funds"),
    (errors.MessageNotFound(), 404, 404, "Msg not found"),
    (errors.PathNotFound(), 404, 4041, "Not Found"),
    (errors.MethodNotAllowed(), 405, 4050, "Method Not Allowed"),
    (errors.PayloadTooLarge(), 413, 4130, "Payload too large"),
    (errors.UnsupportedMediaType(), 415, 4150, "Unsupported media type"),
    (errors.TooManyRequests(7), 429, 4290, "Too many requests"),
    (errors.StoreUnavailable(), 503, 5030, "Service unavailable"),
    (errors.StopReceiptNotFound(7), 404, 4042, "Dispatch 7 has no stop receipt"),
    (errors.RequestTimeout(), 408, 4080, "Request Timeout"),
    (errors.IdempotencyConflict(), 409, 4090, "Idempotency-Key was used with another request"),
    (errors.MessagesDropped(7), 410, 4100, "The messages of dispatch 7 are no longer kept"),
]


@pytest.mark.parametrize(("error", "status", "code", "text"), CONTRACT)
def test_error_says_what_the_contract_says(error, status, code, text):
    """
    Each error has the status, the code and the words of the contract.
    """
    assert (error.status, error.code, str(error)) == (status, code, text)


def test_the_contract_names_every_error():
    """
    There is no error that this table does not hold, and the drawing on top of the module shows them all.
    """
    leaves = {kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, CallerError)}
    leaves -= {CallerError}

    assert leaves == {type(row[0]) for row in CONTRACT}
    assert all(kind.__name__ in errors.__doc__ for kind in leaves)


def test_busy_answers_say_when_to_come_again():
    """
    An answer that asks to wait says how many seconds.
    """
    assert (errors.TooManyRequests(7).retry_after, errors.StoreUnavailable().retry_after) == (7, 1)
