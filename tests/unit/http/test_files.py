"""
Reading contact files that come in pieces.
"""

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.domain.errors import BadRequest
from penstock.domain.model import Entry
from penstock.http.files import CsvReader, NdjsonReader

CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
ROWS = st.lists(st.tuples(st.from_regex(r"7[0-9]{10}", fullmatch=True), CELLS, CELLS), max_size=6)
CUTS = st.lists(st.integers(0, 400), max_size=5)


def read(reader, data: bytes, cuts=()) -> list[Entry]:
    """Read *data* in the pieces that *cuts* make of it."""
    entries, start = [], 0
    for cut in sorted(cuts):
        entries += reader.feed(data[start:cut])
        start = max(start, cut)
    return [*entries, *reader.feed(data[start:]), *reader.finish()]


@given(ROWS, CUTS, st.sampled_from(",;\t"), st.sampled_from(["\n", "\r\n"]))
def test_csv_is_read_the_same_however_it_is_cut(rows, cuts, separator, line_end):
    """
    Quotes, line ends inside values and cut characters change nothing.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=separator, lineterminator=line_end, quoting=csv.QUOTE_ALL)
    writer.writerows([("destination", "a", "b"), *rows])

    entries = read(CsvReader("utf-8-sig"), text.getvalue().encode(), cuts)

    assert entries == [Entry(number, {"a": one, "b": two}) for number, one, two in rows]


@given(ROWS, CUTS)
def test_ndjson_is_read_the_same_however_it_is_cut(rows, cuts):
    """
    Where the network cuts a file does not show.
    """
    wanted = [Entry(number, {"a": one, "b": two}) for number, one, two in rows]
    lines = [json.dumps({"destination": entry.destination, "substitutions": entry.substitutions}) for entry in wanted]

    assert read(NdjsonReader(), "\n".join(lines).encode(), cuts) == wanted


def test_a_quote_that_is_never_closed_does_not_hoard_the_file():
    """
    A broken file is refused before the rest of it fills the memory.
    """
    reader = CsvReader("utf-8-sig")
    rest = b'destination,a\n79990001122,"' + b"x" * 1_000_000

    with pytest.raises(BadRequest, match=r"row 1: field larger than field limit \(131072\)"):
        list(reader.feed(rest + b"\n"))
    with pytest.raises(BadRequest, match="a row is longer than 1048576 characters"):
        list(CsvReader("utf-8-sig").feed(rest + b"x" * 100_000))


def test_columns_without_a_name_are_left_out():
    """
    Separators that a spreadsheet leaves at the end of its lines do no harm.
    """
    assert read(CsvReader("utf-8-sig"), b"destination,a,,\n7,1,,\n") == [Entry("7", {"a": "1"})]
