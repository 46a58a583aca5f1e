"""
What clients are told of bodies that do not fit.
"""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.domain.errors import BadRequest
from penstock.domain.model import Entry
from penstock.http import bodies, understanding
from penstock.http.decoding import decode

VALUES = st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats(allow_nan=False, allow_infinity=False)
ENTRIES = st.lists(
    st.builds(Entry, st.text(), st.dictionaries(st.text(), st.text() | VALUES, max_size=3)), min_size=1, max_size=5
)


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ('[{"destination": 7}]', "[0].destination: expected a string, got a number"),
        ('[{"destination": null}]', "[0].destination: expected a string, got null"),
        ("[{}]", "[0].destination: required"),
        ("{}", "destination: required"),
        ("7", "body: expected an object or an array, got a number"),
        ('[{"destination": "7", "substitutions": [1]}]', "[0].substitutions: expected an object, got an array"),
        ('[{"destination": "\\u0000"}]', "[0].destination: the character U+0000 is not allowed"),
        ('{"destination": "\\u0000"}', "destination: the character U+0000 is not allowed"),
        ('[{"destination": "7"', "broken JSON: it ends too early"),
    ],
)
def test_a_complaint_names_the_element_the_field_and_the_expectation(body, complaint):
    """
    Whoever sent a wrong body can find the place without guessing.
    """
    with pytest.raises(BadRequest) as caught:
        decode(bodies.LOOSE_ENTRIES, body.encode())

    assert str(caught.value) == complaint


def test_an_escaped_backslash_is_not_taken_for_a_nul():
    """
    A text that merely looks like the escape of U+0000 is accepted.
    """
    assert decode(bodies.ENTRIES, b'{"destination": "\\\\u0000"}') == Entry("\\u0000")


@given(ENTRIES)
def test_the_tolerant_look_understands_what_the_quick_one_does(entries):
    """
    Which of the two decoders read a fill makes no difference to what is filled.
    """
    body = msgspec.json.encode(entries)

    quick = understanding.entries(bodies.ENTRIES.decode(body))
    tolerant = understanding.entries(bodies.LOOSE_ENTRIES.decode(body))

    assert quick == tolerant


@given(st.binary(max_size=200))
def test_no_body_makes_the_decoder_fail_otherwise_than_by_a_complaint(body):
    """
    Whatever bytes come, the client gets an answer about them.
    """
    try:
        decode(bodies.ENTRIES, body)
    except BadRequest as error:
        assert str(error)  # noqa: PT017 - either outcome is fine, silence is not
