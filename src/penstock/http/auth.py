"""
API keys in the ``Authorization`` header, as the Direct API has them.

A good key is good from any address.  Wrong ones are answered 401 until the allowance of their
address is spent (`penstock.http.guesses`), then 429; from there on they are judged from memory only.
"""

import base64
import binascii
import re

from starlette.requests import Request

from penstock.domain.errors import AccessDenied, BadCredentials, NotAuthenticated, TooManyRequests
from penstock.domain.model import Caller
from penstock.http.guesses import Guesses
from penstock.http.service import Keys

_KEY_ID = re.compile(r"[1-9][0-9]{0,18}")
_MAX_ID = 2**63 - 1


async def authenticate(request: Request, keys: Keys, guesses: Guesses) -> Caller:
    """Return who asks; raises NotAuthenticated (nothing to judge), BadCredentials (judged) or TooManyRequests."""
    header = request.headers.get("authorization", "")
    scheme, _, opaque = header.partition(" ")
    if scheme.lower() not in ("basic", "bearer"):
        raise NotAuthenticated
    address = request.client.host if request.client else ""
    key = _open(opaque.strip())
    if key is not None:
        caller = await keys.authenticate(*key, look=not guesses.wait(address))
        if caller is not None:
            return caller
    seconds = guesses.count(address)
    raise TooManyRequests(seconds) if seconds else BadCredentials


def require_kind(caller: Caller, kinds: frozenset[int]) -> None:
    """Raise AccessDenied when the key is of an unsuitable kind."""
    if caller.kind not in kinds:
        raise AccessDenied


def _open(opaque: str) -> tuple[int, str] | None:
    """Take a key apart into its id and its secret; None for what cannot be one."""
    try:
        key_id, colon, secret = base64.b64decode(opaque, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return None
    if not colon or _KEY_ID.fullmatch(key_id) is None or int(key_id) > _MAX_ID:
        return None
    return int(key_id), secret
