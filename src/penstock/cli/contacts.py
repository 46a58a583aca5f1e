"""
A file of contacts on its way to the server: which kind it is, and its bytes piece by piece.

CSV and NDJSON, packed or not, are told apart by name and by the first bytes, so that standard input
works too.  A CSV without a column ``destination`` has its first column taken for it.
"""

import contextlib
import gzip
import io
import os
import sys
import zlib
from collections.abc import Iterator
from pathlib import PurePath

_PIECE = 128 * 1024
_PEEK = 64 * 1024  #: the source buffers this much; a header is looked for in it
_GZIP = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"
_SEPARATORS = (b",", b";", b"\t")


class BrokenFile(Exception):
    """The file is not what its name or its first bytes say."""


class Contacts:
    """A file of contacts that is open at its beginning."""

    def __init__(self, source: "io.BufferedReader[io.FileIO]", name: str) -> None:
        """Look at the beginning of *source*, without taking it away, and decide how to send it."""
        self.name = None if name == "-" else PurePath(name).name
        self._source = source
        peek = source.peek(_PEEK)
        self._is_packed = peek.startswith(_GZIP)
        start = (_unpack(peek) if self._is_packed else peek).removeprefix(_BOM)
        header = start.partition(b"\n")[0]
        self._is_csv = not _is_ndjson(name, start)
        self._renames = self._is_csv and header.strip() != b"" and b"destination" not in _cells(header)

    @property
    def size(self) -> int | None:
        """Bytes on the disk; None for a pipe."""
        return os.fstat(self._source.fileno()).st_size if self._source.seekable() else None

    @property
    def position(self) -> int:
        """How many of them are read."""
        return self._source.tell() if self._source.seekable() else 0

    @property
    def headers(self) -> dict[str, str]:
        """The headers that describe what `pieces` yields."""
        headers = {"Content-Type": "text/csv" if self._is_csv else "application/x-ndjson"}
        if self._is_packed and not self._renames:
            headers["Content-Encoding"] = "gzip"
        return headers

    def pieces(self) -> Iterator[bytes]:
        """Yield the bytes to send."""
        if not self._renames:
            yield from _pieces(self._source)
            return
        with gzip.GzipFile(fileobj=self._source) if self._is_packed else self._source as plain:
            yield _renamed(plain.readline())
            yield from _pieces(plain)


@contextlib.contextmanager
def open_contacts(file: str) -> Iterator[Contacts]:
    """Open a file, or standard input for ``-``."""
    raw = io.FileIO(sys.stdin.fileno(), closefd=False) if file == "-" else io.FileIO(file)
    with io.BufferedReader(raw, _PEEK) as source:
        yield Contacts(source, file)


def _is_ndjson(name: str, start: bytes) -> bool:
    """Whether the name says so or, where it says nothing, the first character does."""
    suffixes = {suffix.lower() for suffix in PurePath(name).suffixes}
    return bool(suffixes & {".ndjson", ".jsonl"}) or (".csv" not in suffixes and start.lstrip()[:1] == b"{")


def _unpack(peek: bytes) -> bytes:
    try:
        return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(peek, _PEEK)
    except zlib.error as error:
        raise BrokenFile(str(error)) from error


def _pieces(source: io.BufferedIOBase) -> Iterator[bytes]:
    try:
        while piece := source.read(_PIECE):
            yield piece
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise BrokenFile(str(error)) from error


def _separator(header: bytes) -> bytes:
    """Return the separator that comes first; a comma if there is none."""
    places = {header.find(separator): separator for separator in _SEPARATORS if separator in header}
    return places[min(places)] if places else b","


def _cells(header: bytes) -> list[bytes]:
    return [cell.strip().strip(b'"') for cell in header.split(_separator(header))]


def _renamed(header: bytes) -> bytes:
    """Return the header line with its first column named ``destination``."""
    header = header.removeprefix(_BOM)
    ending = header[len(header.rstrip(b"\r\n")) :]
    separator = _separator(header)
    rest = header.rstrip(b"\r\n").partition(separator)
    return b"destination" + rest[1] + rest[2] + ending
