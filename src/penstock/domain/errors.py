"""
What a caller may be told, and the codes that say it.

CallerError
├── BadRequest              400  4000
├── NotAuthenticated        401  4010
├── BadCredentials          401  4012
├── InsufficientFunds       402   402
├── AccessDenied            403  4030
├── InappropriateStatus     403  4031
├── DispatchNotFound        404  4040
├── PathNotFound            404  4041
├── StopReceiptNotFound     404  4042
├── MessageNotFound         404   404
├── MethodNotAllowed        405  4050
├── RequestTimeout          408  4080
├── IdempotencyConflict     409  4090
├── MessagesDropped         410  4100
├── PayloadTooLarge         413  4130
├── UnsupportedMediaType    415  4150
├── TooManyRequests         429  4290
└── StoreUnavailable        503  5030

Leaves say when; the parent says what to do: answer with `status`, `code` and the message.
"""

import enum


class CallerError(Exception):
    """The request cannot be carried out, and the caller is told why; nothing of it was accepted."""

    status = 400  #: HTTP status
    code = 4000  #: code in the body
    text = "Bad request"

    def __init__(self, text: str | None = None) -> None:
        super().__init__(self.text if text is None else text)


class BadRequest(CallerError):
    """Body or query does not fit; the text names the element, the field and the expectation."""


class NotAuthenticated(CallerError):
    """No key came with the request."""

    status, code, text = 401, 4010, "Not Authenticated"


class BadCredentials(CallerError):
    """The key is unknown, wrong or revoked."""

    status, code, text = 401, 4012, "Bad credentials"


class InsufficientFunds(CallerError):
    """The balance of the account does not cover the request."""

    status, code, text = 402, 402, "Insufficient funds"


class AccessDenied(CallerError):
    """The key is of a kind that does not open this."""

    status, code, text = 403, 4030, "Access Denied"


class InappropriateStatus(CallerError):
    """The dispatch stands where this cannot be done with it."""

    status, code, text = 403, 4031, "Inappropriate dispatch status"


class DispatchNotFound(CallerError):
    """The account has no such dispatch."""

    status, code = 404, 4040

    def __init__(self, dispatch_id: int | str) -> None:
        super().__init__(f"Dispatch {dispatch_id} not found")


class PathNotFound(CallerError):
    """There is nothing at this path."""

    status, code, text = 404, 4041, "Not Found"


class StopReceiptNotFound(CallerError):
    """The dispatch was not stopped."""

    status, code = 404, 4042

    def __init__(self, dispatch_id: int | str) -> None:
        super().__init__(f"Dispatch {dispatch_id} has no stop receipt")


class MessageNotFound(CallerError):
    """The account has no such message."""

    status, code, text = 404, 404, "Msg not found"


class MethodNotAllowed(CallerError):
    """The path knows other methods."""

    status, code, text = 405, 4050, "Method Not Allowed"


class RequestTimeout(CallerError):
    """The request did not come in time."""

    status, code, text = 408, 4080, "Request Timeout"


class IdempotencyConflict(CallerError):
    """The Idempotency-Key came before with another request."""

    status, code, text = 409, 4090, "Idempotency-Key was used with another request"


class MessagesDropped(CallerError):
    """The dispatch ended so long ago that only its totals are kept."""

    status, code = 410, 4100

    def __init__(self, dispatch_id: int | str) -> None:
        super().__init__(f"The messages of dispatch {dispatch_id} are no longer kept")


class PayloadTooLarge(CallerError):
    """The body is larger than this server takes."""

    status, code, text = 413, 4130, "Payload too large"


class UnsupportedMediaType(CallerError):
    """The body is of a type that is not read here."""

    status, code, text = 415, 4150, "Unsupported media type"


class TooManyRequests(CallerError):
    """The caller should wait."""

    status, code, text = 429, 4290, "Too many requests"

    def __init__(self, retry_after: int = 1) -> None:
        super().__init__()
        self.retry_after = retry_after  #: seconds


class StoreUnavailable(CallerError):
    """The database cannot be reached; nothing was accepted."""

    status, code, text = 503, 5030, "Service unavailable"

    def __init__(self, retry_after: int = 1) -> None:
        super().__init__()
        self.retry_after = retry_after  #: seconds


class ItemCode(enum.IntEnum):
    """Why one message was not taken, not sent or not delivered: the closed table of item codes."""

    LIFETIME = 7060  #: not delivered within its lifetime
    REJECTED = 7061  #: rejected by the carrier
    EXPIRED = 7062  #: not sent before its completion time
    STOPPED = 7063  #: stopped before it was sent
    OUTCOME_UNKNOWN = 7064  #: handed over, and the answer was lost
    DESTINATION_INVALID = 7401  #: the destination is not a number
    SUBSTITUTION_MISSING = 7402  #: a placeholder of the text has no value
    SUPPRESSED = 7403  #: the destination is on a suppression list
    TEXT_LENGTH = 7404  #: the text is empty or too long
    REPEATED = 7405  #: the destination came before, where that is not wanted
    SENDER_NAME = 7406  #: the sender name may not send
