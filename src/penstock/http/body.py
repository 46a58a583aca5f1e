"""
Reading the body of a request, never more of it than allowed.
"""

from starlette.requests import Request

from penstock.domain.errors import PayloadTooLarge, UnsupportedMediaType

_JSON = "application/json"
_UTF8 = frozenset({"", "utf-8", "utf8", "us-ascii"})


def media_type(request: Request) -> tuple[str, str]:
    """Return the media type and the charset that the request declares, in lower case; "" for none."""
    declared = request.headers.get("content-type", "")
    essence, _, rest = declared.partition(";")
    charset = ""
    for parameter in rest.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            charset = value.strip().strip('"').lower()
    return essence.strip().lower(), charset


async def read_json(request: Request, limit: int) -> bytes:
    """
    Read a JSON body of at most *limit* bytes; one that says it is longer is refused unread.

    A body without a content type is taken for JSON, as independent clients send it.
    """
    essence, charset = media_type(request)
    if essence not in ("", _JSON) or charset not in _UTF8 or _is_encoded(request):
        raise UnsupportedMediaType
    refuse_declared(request, limit)
    received = bytearray()
    async for chunk in request.stream():
        received += chunk
        if len(received) > limit:
            raise PayloadTooLarge
    return bytes(received)


def refuse_declared(request: Request, limit: int) -> None:
    """Refuse a body that declares itself longer than *limit* before a byte of it is read."""
    declared = request.headers.get("content-length", "")
    if declared.isascii() and declared.isdigit() and int(declared[:20]) > limit:
        raise PayloadTooLarge


def _is_encoded(request: Request) -> bool:
    return request.headers.get("content-encoding", "identity").strip().lower() not in ("", "identity")
