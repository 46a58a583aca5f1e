"""
Unpacking files without being flooded.
"""

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.domain.errors import BadRequest, PayloadTooLarge
from penstock.http.inflate import _Gunzip

MEGABYTE = 1024 * 1024


@given(st.lists(st.binary(max_size=50), min_size=1, max_size=4), st.integers(1, 7))
def test_a_packed_file_is_unpacked_however_it_is_cut(members, step):
    """
    Files of several members, as parallel packers write them, come out whole.
    """
    packed = b"".join(map(gzip.compress, members))
    gunzip = _Gunzip(MEGABYTE)

    pieces = [piece for at in range(0, len(packed), step) for piece in gunzip.feed(packed[at : at + step])]
    gunzip.finish()

    assert b"".join(pieces) == b"".join(members)


def test_a_bomb_is_refused_while_it_is_small():
    """
    A few kilobytes that unpack to gigabytes are refused after some megabytes.
    """
    gunzip = _Gunzip(2**40)
    bomb = gzip.compress(bytes(40 * MEGABYTE))
    pieces: list[int] = []

    with pytest.raises(PayloadTooLarge):
        pieces.extend(map(len, gunzip.feed(bomb)))

    assert sum(pieces) <= 16 * MEGABYTE


def test_a_packed_file_without_its_end_is_refused():
    """
    An upload that was cut off is not taken for a whole file.
    """
    gunzip = _Gunzip(MEGABYTE)
    list(gunzip.feed(gzip.compress(b"destination\n")[:-4]))

    with pytest.raises(BadRequest, match="the end is missing"):
        gunzip.finish()
