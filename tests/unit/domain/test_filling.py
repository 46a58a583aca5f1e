"""
From the elements of a fill to what is stored.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.domain.errors import ItemCode
from penstock.domain.filling import prepare
from penstock.domain.model import Entry
from penstock.domain.msisdn import parse_msisdn
from penstock.domain.parts import MAX_PARTS, count_parts
from penstock.domain.template import Template
from penstock.domain.zones import zone_of
from tests import strategies

ZONE = "Europe/Moscow"
TEXTS = [
    "{name}",
    "Hi {name}, {code}",
    "{name}{name}",
    "Привет, {name}",
    "€{code}",
    "no name",
    "",
    "x" * 155 + "{code}",
]


def prepare_slowly(template: Template, entry: Entry, *, zoned: bool) -> tuple[object, ...] | ItemCode:
    """Return what should become of one element, step by step."""
    destination = parse_msisdn(entry.destination)
    if destination is None:
        return ItemCode.DESTINATION_INVALID
    values = template.values(entry.substitutions)
    if values is None:
        return ItemCode.SUBSTITUTION_MISSING
    text = template.render(values)
    if not text or count_parts(text) > MAX_PARTS:
        return ItemCode.TEXT_LENGTH
    return destination, values or None, count_parts(text), zone_of(destination, ZONE) if zoned else ""


@strategies.law
@given(st.sampled_from(TEXTS), st.lists(strategies.entries(), max_size=8), st.booleans())
def test_every_element_is_stored_right_or_refused_with_its_reason(text, entries, zoned):
    """
    Each element has its parts, values and zone, or the code that kept it out; its neighbours never matter.
    """
    template = Template.parse(text)

    prepared, errors = prepare(template, entries, zoned=zoned, fallback_zone=ZONE)

    found = {one.position: (one.destination, one.values, one.parts, one.zone) for one in prepared} | errors
    assert found == {index: prepare_slowly(template, entry, zoned=zoned) for index, entry in enumerate(entries)}


def test_messages_of_one_zone_stand_together():
    """
    Numbers of one zone follow each other, and within a zone the order of the client stays.
    """
    numbers = ["74951234567", "74232123456", "37491123456", "74951234568", "74232123457"]
    entries = [Entry(number) for number in numbers]

    prepared, _ = prepare(Template.parse("hi"), entries, zoned=True, fallback_zone=ZONE)

    assert [(one.zone, one.position) for one in prepared] == [
        ("Asia/Vladivostok", 1),
        ("Asia/Vladivostok", 4),
        ("Asia/Yerevan", 2),
        ("Europe/Moscow", 0),
        ("Europe/Moscow", 3),
    ]


def test_without_zones_the_order_is_that_of_the_client():
    """
    Where zones do not matter nothing is moved.
    """
    entries = [Entry("74951234567"), Entry("74232123456"), Entry("74951234568")]

    prepared, _ = prepare(Template.parse("hi"), entries, zoned=False, fallback_zone=ZONE)

    assert [(one.position, one.zone) for one in prepared] == [(0, ""), (1, ""), (2, "")]


@pytest.mark.parametrize(("length", "parts"), [(160, 1), (161, 2), (1530, 10)])
def test_parts_are_those_of_the_whole_text(length, parts):
    """
    The text counts with its values, up to ten parts.
    """
    entry = Entry("79990001122", {"name": "x" * (length - 4)})

    prepared, _ = prepare(Template.parse("Hi, {name}"), [entry], zoned=False, fallback_zone=ZONE)

    assert [one.parts for one in prepared] == [parts]


@pytest.mark.parametrize(("text", "value"), [("{name}", ""), ("", "x"), ("{name}", "x" * 1531), ("{name}{name}", "")])
def test_empty_and_endless_texts_are_refused(text, value):
    """
    A text of nothing or of more than ten parts is that element's error.
    """
    entry = Entry("79990001122", {"name": value})

    assert prepare(Template.parse(text), [entry], zoned=False, fallback_zone=ZONE) == ([], {0: ItemCode.TEXT_LENGTH})
