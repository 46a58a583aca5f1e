"""
The bytes of an uploaded file, unpacked on the way and never more of them than allowed.

A gzip of zeros grows a thousandfold, so beside the total the growth is watched: real contact
files shrink five- to twentyfold, rarely more than fortyfold.
"""

import zlib
from collections.abc import AsyncIterator, Iterator

from starlette.requests import Request

from penstock.domain.errors import BadRequest, PayloadTooLarge, UnsupportedMediaType
from penstock.http.body import refuse_declared

_GZIP = 16 + zlib.MAX_WBITS  #: zlib's way to ask for a gzip header and trailer
_PIECE = 256 * 1024  #: unpacked at most in one go, so that a small chunk cannot fill the memory
_MAX_GROWTH = 200
_HARMLESS = 16 * 1024 * 1024  #: below this the growth does not matter
#: Parallel packers write a member for each 64 KiB or more; one costs as much as unpacking some kilobytes.
_LEAST_MEMBER = 1024
_HARMLESS_MEMBERS = 1000


async def read_file(request: Request, limit: int) -> AsyncIterator[bytes]:
    """Yield the file in pieces; at most *limit* bytes, both as sent and as unpacked."""
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("", "identity", "gzip", "x-gzip"):
        raise UnsupportedMediaType
    refuse_declared(request, limit)
    gunzip = _Gunzip(limit) if encoding.endswith("gzip") else None
    received = 0
    async for chunk in request.stream():
        received += len(chunk)
        if received > limit:
            raise PayloadTooLarge
        if gunzip is None:
            yield chunk
        else:
            for piece in gunzip.feed(chunk):
                yield piece
    if gunzip is not None:
        gunzip.finish()


class _Gunzip:
    """Unpacks a gzip stream of one or several members."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._taken = 0
        self._given = 0
        self._members = 1
        self._member = zlib.decompressobj(_GZIP)
        self._is_inside = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield what *data* unpacks to, in small pieces."""
        self._taken += len(data)
        while data:
            if self._member.eof:
                self._begin_member()
            self._is_inside = True
            try:
                piece = self._member.decompress(data, _PIECE)
            except zlib.error as error:
                message = "broken gzip: the packed data cannot be read"
                raise BadRequest(message) from error
            self._given += len(piece)
            if self._given > self._limit or self._given > max(_HARMLESS, self._taken * _MAX_GROWTH):
                raise PayloadTooLarge
            if piece:
                yield piece
            if self._member.eof:
                data, self._is_inside = self._member.unused_data, False
            else:
                data = self._member.unconsumed_tail

    def _begin_member(self) -> None:
        self._members += 1
        if self._members > _HARMLESS_MEMBERS and self._members * _LEAST_MEMBER > max(self._taken, self._given):
            message = "gzip: expected members of more than a few bytes"
            raise BadRequest(message)
        self._member = zlib.decompressobj(_GZIP)

    def finish(self) -> None:
        """Raise BadRequest when the stream ended in the middle."""
        if self._is_inside or not self._taken:
            message = "broken gzip: the end is missing"
            raise BadRequest(message)
