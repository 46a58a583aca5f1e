"""
API keys in the ``Authorization`` header, as the Direct API has them.
"""

import base64
import binascii
import re

from starlette.requests import Request

from penstock.domain.errors import AccessDenied, BadCredentials, NotAuthenticated
from penstock.domain.model import Caller
from penstock.http.service import Keys

_KEY_ID = re.compile(r"[1-9][0-9]{0,18}")
_MAX_ID = 2**63 - 1


async def authenticate(request: Request, keys: Keys) -> Caller:
    """Return who asks, or raise NotAuthenticated (nothing to judge) or BadCredentials (judged)."""
    header = request.headers.get("authorization", "")
    scheme, _, opaque = header.partition(" ")
    if scheme.lower() not in ("basic", "bearer"):
        raise NotAuthenticated
    key_id, secret = _open(opaque.strip())
    caller = await keys.authenticate(key_id, secret)
    if caller is None:
        raise BadCredentials
    return caller


def require_kind(caller: Caller, kinds: frozenset[int]) -> None:
    """Raise AccessDenied when the key is of an unsuitable kind."""
    if caller.kind not in kinds:
        raise AccessDenied


def _open(opaque: str) -> tuple[int, str]:
    """Take a key apart into its id and its secret."""
    try:
        key_id, colon, secret = base64.b64decode(opaque, validate=True).decode().partition(":")
    except (binascii.Error, ValueError) as error:
        raise BadCredentials from error
    if not colon or _KEY_ID.fullmatch(key_id) is None or int(key_id) > _MAX_ID or "\0" in secret:
        raise BadCredentials
    return int(key_id), secret
