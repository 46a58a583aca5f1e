"""
Files of contacts, read as they come: CSV and NDJSON.

CSV starts with a header.  The column ``destination`` is required, every other named column is a
substitution.  Comma, semicolon and tab are understood as the separator, whichever the header uses
first.  Rows count from 1 without the header and blank lines, in complaints as in the answer.
"""

import asyncio
import codecs
import csv
import io
from collections.abc import AsyncIterator, Callable, Iterator, Sequence

import msgspec
from starlette.requests import Request

from penstock.domain.errors import BadRequest, UnsupportedMediaType
from penstock.domain.model import Entry
from penstock.http.bodies import LooseEntry
from penstock.http.body import media_type
from penstock.http.decoding import decode
from penstock.http.inflate import read_file

BATCH = 5000  #: entries handed on at once
#: Octets from which on a batch is handed on though it has fewer entries: rows may be long.
_BATCH_BYTES = 4 * 1024 * 1024
#: Octets read at once: a reader looks at an unfinished row again with each piece, and others wait meanwhile.
_PIECE = 64 * 1024
_MAX_ROW = 1024 * 1024  #: characters; a quote that is never closed would hoard the rest of the file
_SEPARATORS = ",;\t"
#: Charsets of contact files as spreadsheets here write them.
_CHARSETS = {"": "utf-8-sig", "utf-8": "utf-8-sig", "utf8": "utf-8-sig", "windows-1251": "cp1251", "cp1251": "cp1251"}

CSV_TYPE = "text/csv"
NDJSON_TYPES = ("application/x-ndjson", "application/ndjson", "application/jsonl")


def rows_of(request: Request, limit: int, seen: Callable[[bytes], None]) -> tuple[str, AsyncIterator[Sequence[Entry]]]:
    """
    Return the extension of the kind of file that a request brings, and its rows in batches.

    *seen* is called with each piece of the unpacked content.
    """
    essence, charset = media_type(request)
    if charset not in _CHARSETS:
        raise UnsupportedMediaType
    if essence == CSV_TYPE:
        reader = CsvReader(_CHARSETS[charset])
        return "csv", _batches(read_file(request, limit), seen, reader.feed, reader.finish)
    if essence in NDJSON_TYPES and _CHARSETS[charset] == "utf-8-sig":
        lines = NdjsonReader()
        return "ndjson", _batches(read_file(request, limit), seen, lines.feed, lines.finish)
    raise UnsupportedMediaType


async def _batches(
    pieces: AsyncIterator[bytes],
    seen: Callable[[bytes], None],
    feed: Callable[[bytes], Iterator[Entry]],
    finish: Callable[[], Iterator[Entry]],
) -> AsyncIterator[Sequence[Entry]]:
    """Gather what a reader makes of each piece into batches; between pieces it is others' turn."""
    batch: list[Entry] = []
    size = 0
    async for piece in _pieces(pieces):
        seen(piece)
        size += len(piece)
        batch.extend(feed(piece))
        while len(batch) >= BATCH or (batch and size >= _BATCH_BYTES):
            yield batch[:BATCH]
            del batch[:BATCH]
            size = 0
        await asyncio.sleep(0)
    batch.extend(finish())
    for start in range(0, len(batch), BATCH):
        yield batch[start : start + BATCH]


async def _pieces(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Make pieces of one size, however the network and the packer have cut them."""
    held = bytearray()
    async for piece in pieces:
        held += piece
        start = 0
        while len(held) - start >= _PIECE:
            yield bytes(held[start : start + _PIECE])
            start += _PIECE
        del held[:start]
    if held:
        yield bytes(held)


class CsvReader:
    """Bytes in, entries out: reads every row that is complete and keeps the rest for later."""

    def __init__(self, charset: str) -> None:
        """Begin a file written in *charset*."""
        self._decoder = codecs.getincrementaldecoder(charset)()
        self._rest = ""
        self._separator = ","
        self._header: list[str] | None = None
        self._destination = 0
        self._rows = 0

    def feed(self, data: bytes) -> Iterator[Entry]:
        """Yield the entries that *data* completes."""
        text = self._rest + self._decode(data, final=False)
        end = text.rfind("\n") + 1
        self._rest = text[end:]
        if end:
            yield from self._read(text[:end], final=False)
        if len(self._rest) > _MAX_ROW:
            raise self._broken(f"a row is longer than {_MAX_ROW} characters, or a quote is not closed")

    def finish(self) -> Iterator[Entry]:
        """Yield the entries of the last line, which need not end."""
        yield from self._read(self._rest + self._decode(b"", final=True), final=True)
        if self._header is None:
            message = "header: expected a first line that names the columns, one of them destination"
            raise BadRequest(message)

    def _decode(self, data: bytes, *, final: bool) -> str:
        try:
            return self._decoder.decode(data, final)
        except UnicodeDecodeError as error:
            raise self._broken(
                "the text here or further on is not in the charset declared (UTF-8 unless said otherwise)"
            ) from error

    def _read(self, text: str, *, final: bool) -> Iterator[Entry]:
        """Read whole lines; a quoted value that does not end in them waits for the next ones."""
        has_nul = "\0" in text
        lines = list(io.StringIO(text, newline=""))
        if self._header is None:
            self._separator = _separator(text)
        reader = csv.reader(lines, delimiter=self._separator, strict=True)
        good = 0
        try:
            for cells in reader:
                good = reader.line_num
                if not cells:
                    continue
                if has_nul and any("\0" in cell for cell in cells):
                    raise self._broken("the character U+0000 is not allowed")
                if self._header is None:
                    self._take_header(cells)
                else:
                    yield self._entry(self._header, cells)
        except csv.Error as error:
            if final or "unexpected end of data" not in str(error):
                raise self._broken(str(error)) from error
            self._rest = "".join(lines[good:]) + self._rest

    def _take_header(self, cells: list[str]) -> None:
        names = [cell.strip() for cell in cells]
        named = [name for name in names if name]
        if "destination" not in named:
            message = "header: expected a column destination"
            raise BadRequest(message)
        if len(set(named)) < len(named):
            message = "header: expected each column once"
            raise BadRequest(message)
        self._destination = names.index("destination")
        self._header = names

    def _entry(self, header: list[str], cells: list[str]) -> Entry:
        """Make an entry of a row; a missing cell is a missing value, one too many breaks the file."""
        self._rows += 1
        if len(cells) > len(header) or len(cells) <= self._destination:
            self._rows -= 1
            wanted = f"at most {len(header)}" if len(cells) > len(header) else f"at least {self._destination + 1}"
            raise self._broken(f"expected {wanted} cells, got {len(cells)}")
        values = dict(zip(header, cells, strict=False))
        values.pop("", None)
        return Entry(values.pop("destination").strip(), values)

    def _broken(self, what: str) -> BadRequest:
        return BadRequest(f"row {self._rows + 1}: {what}" if self._header is not None else f"header: {what}")


def _separator(text: str) -> str:
    """Return the separator that comes first in the header line; a comma if there is none."""
    line = text.lstrip("\r\n").split("\n", 1)[0]
    places = {line.find(separator): separator for separator in _SEPARATORS if separator in line}
    return places[min(places)] if places else ","


class NdjsonReader:
    """Bytes in, entries out: one JSON object a line."""

    def __init__(self) -> None:
        """Begin a file."""
        self._decoder = msgspec.json.Decoder(Entry)
        self._loose = msgspec.json.Decoder(LooseEntry)
        self._rest = b""
        self._rows = 0

    def feed(self, data: bytes) -> Iterator[Entry]:
        """Yield the entries that *data* completes."""
        data = self._rest + data
        end = data.rfind(b"\n") + 1
        self._rest = data[end:]
        if len(self._rest) > _MAX_ROW:
            message = f"row {self._rows + 1}: a row is longer than {_MAX_ROW} bytes"
            raise BadRequest(message)
        yield from self._read(data[:end])

    def finish(self) -> Iterator[Entry]:
        """Yield the entry of the last line, which need not end."""
        yield from self._read(self._rest)

    def _read(self, lines: bytes) -> Iterator[Entry]:
        try:
            if b"\\u0000" in lines or b"\0" in lines:
                raise msgspec.DecodeError  # noqa: TRY301 - one by one is how the row is found
            entries = self._decoder.decode_lines(lines)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            entries = list(self._one_by_one(lines))
        else:
            self._rows += len(entries)
        yield from entries

    def _one_by_one(self, lines: bytes) -> Iterator[Entry]:
        """Read line by line, so that a complaint can name the row."""
        for line in lines.split(b"\n"):
            if line.strip():
                loose = decode(self._loose, line, f"row {self._rows + 1}: ")
                self._rows += 1
                yield Entry(loose.destination, loose.substitutions or {})
