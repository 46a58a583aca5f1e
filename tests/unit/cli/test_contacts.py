"""
Files of contacts on their way to the server.
"""

import gzip
import io

import pytest

from penstock.cli.contacts import BrokenFile, Contacts


def _contacts(content, name):
    return Contacts(io.BufferedReader(io.BytesIO(content)), name)


def _sent(content, name):
    contacts = _contacts(content, name)
    return contacts.headers, b"".join(contacts.pieces())


def test_a_csv_goes_as_it_is():
    """
    A file that the server understands is not touched.
    """
    content = b"name;destination\r\nAnna;79990000001\r\n"

    assert _sent(content, "a.csv") == ({"Content-Type": "text/csv"}, content)


def test_the_first_column_is_the_destination():
    """
    A file whose first column is called otherwise is filled without editing it.
    """
    assert _sent(b"\xef\xbb\xbfPhone,name\n79990000001,Anna\n", "-")[1] == b"destination,name\n79990000001,Anna\n"


def test_a_packed_file_stays_packed():
    """
    What is packed travels packed.
    """
    content = gzip.compress(b"destination\n79990000001\n")

    assert _sent(content, "a.csv.gz") == ({"Content-Type": "text/csv", "Content-Encoding": "gzip"}, content)


def test_a_packed_file_is_unpacked_to_name_its_column():
    """
    The first column counts in a packed file too.
    """
    content = gzip.compress(b"phone\n79990000001\n")

    assert _sent(content, "a.csv.gz") == ({"Content-Type": "text/csv"}, b"destination\n79990000001\n")


@pytest.mark.parametrize("name", ["a.ndjson", "a.jsonl", "-", "a.ndjson.gz"])
def test_ndjson_is_recognised(name):
    """
    JSON lines are known by their name or, from a pipe, by their first character.
    """
    content = b'{"destination": "79990000001"}\n'

    assert _sent(content, name) == ({"Content-Type": "application/x-ndjson"}, content)


def test_an_empty_file_is_a_csv():
    """
    A file without anything is left to the server, which misses its header.
    """
    assert _sent(b"", "-") == ({"Content-Type": "text/csv"}, b"")


def test_a_broken_archive_is_told():
    """
    A file that only begins like an archive is refused before anything is sent.
    """
    with pytest.raises(BrokenFile):
        _contacts(b"\x1f\x8bnot really", "a.csv.gz")


def test_an_archive_that_ends_too_early_is_told():
    """
    A copy that broke off in the middle is told as such.
    """
    content = gzip.compress(b"phone\n79990000001\n")

    with pytest.raises(BrokenFile):
        _sent(content[:-8], "a.csv.gz")
