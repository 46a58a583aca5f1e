"""
The messageUuid.
"""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.domain.uuids import message_uuid, parse_message_uuid, uuid_maker
from tests import strategies

DISPATCH_IDS = st.integers(0, 2**60 - 1)
SEQS = st.integers(0, 2**31 - 1)


@strategies.law
@given(DISPATCH_IDS, SEQS)
def test_uuid_names_its_message(dispatch_id, seq):
    """
    The message is found by its uuid alone, in either case of letters.
    """
    text = message_uuid(dispatch_id, seq)

    assert parse_message_uuid(text) == (dispatch_id, seq)
    assert parse_message_uuid(text.upper()) == (dispatch_id, seq)
    assert uuid_maker(dispatch_id)(seq) == text


@strategies.law
@given(DISPATCH_IDS, SEQS)
def test_uuid_is_version_8(dispatch_id, seq):
    """
    Every library reads it as a UUID of version 8 (RFC 9562, 5.8), written the canonical way.
    """
    read = uuid.UUID(message_uuid(dispatch_id, seq))

    assert (read.version, read.variant) == (8, uuid.RFC_4122)
    assert str(read) == message_uuid(dispatch_id, seq)


@strategies.law
@given(DISPATCH_IDS, SEQS, st.integers(0, 35), st.sampled_from("0123456789abcdef"))
def test_mistyped_uuid_names_nothing(dispatch_id, seq, position, digit):
    """
    One wrong character never leads to another message.
    """
    text = message_uuid(dispatch_id, seq)
    mistyped = text[:position] + digit + text[position + 1 :]

    assert parse_message_uuid(mistyped) == ((dispatch_id, seq) if mistyped == text else None)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "{%s}",
        "urn:uuid:%s",
        "%s ",
        "\n%s",
        "%s\n",
        "00000000-0000-0000-0000-000000000000",
        "00000000-0000-8000-8000-000000000000",
        "f47ac10b-58cc-4372-a567-0e02b2c3d479",
    ],
)
def test_anything_else_names_nothing(text):
    """
    Other spellings and other people's uuids are refused.
    """
    assert parse_message_uuid(text.replace("%s", message_uuid(1, 1))) is None


@pytest.mark.parametrize("dispatch_id", [-1, 2**60])
def test_dispatch_id_that_does_not_fit_is_an_error(dispatch_id):
    """
    No uuid is made that could not be read back.
    """
    with pytest.raises(ValueError, match=str(dispatch_id)):
        uuid_maker(dispatch_id)
