"""
Texts with placeholders.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.domain.template import BadTemplate, Template
from tests import strategies


@strategies.law
@given(strategies.template_pieces(), st.lists(strategies.texts(10), min_size=8, max_size=8))
def test_rendering_replaces_placeholders_and_nothing_else(pieces, values):
    """
    Every placeholder becomes its value, doubled braces become one, all else stays as it is.
    """
    written = [f"{{{piece}}}" if is_name else piece.replace("{", "{{").replace("}", "}}") for is_name, piece in pieces]
    names = list(dict.fromkeys(piece for is_name, piece in pieces if is_name))
    substitutions = dict(zip(names, values, strict=False))

    template = Template.parse("".join(written))
    rendered = template.render(template.values(substitutions))

    assert rendered == "".join(substitutions[piece] if is_name else piece for is_name, piece in pieces)


@pytest.mark.parametrize(
    ("text", "values", "rendered"),
    [
        ("Hi {name}, {code}!", ["Anna", "1234"], "Hi Anna, 1234!"),
        ("{b}{a}{b}", ["1", "2"], "121"),
        ("{имя_1}", ["Анна"], "Анна"),
        ("{{name}}", [], "{name}"),
        ("{{{name}}}", ["x"], "{x}"),
        ("100% {a} %s %(a)s %%", ["%s"], "100% %s %s %(a)s %%"),
        ("{a}", ["{b}"], "{b}"),
        ("", [], ""),
    ],
)
def test_examples_render_as_written(text, values, rendered):
    """
    Names may repeat, values are never read again, percent signs are only percent signs.
    """
    template = Template.parse(text)

    assert template.render(values) == rendered
    assert template.text == text


def test_names_come_once_in_the_order_of_first_use():
    """
    The values of a message are stored in the order in which the text first names them.
    """
    assert Template.parse("{b} {a} {b} {c} {a}").names == ("b", "a", "c")


@pytest.mark.parametrize(
    ("text", "position"), [("{", 1), ("ab}", 3), ("{}", 1), ("{a b}", 1), ("{a", 1), ("{{a}", 4), ("x {a-b} y", 3)]
)
def test_broken_template_is_refused_with_its_place(text, position):
    """
    A brace that opens or closes nothing is refused, and the message says where it is.
    """
    with pytest.raises(BadTemplate, match=f"^at position {position}: expected "):
        Template.parse(text)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("", ""),
        ("x", "x"),
        (0, "0"),
        (-12345678901234567890, "-12345678901234567890"),
        (True, "true"),
        (False, "false"),
        (1.5, "1.5"),
        (3.0, "3"),
        (-0.0, "0"),
        (0.1, "0.1"),
        (1e-7, "0.0000001"),
        (1.23456789e-05, "0.0000123456789"),
        (1e22, "10000000000000000000000"),
        (1234567890123456.0, "1234567890123456"),
    ],
)
def test_values_are_written_as_people_write_them(value, text):
    """
    Numbers and booleans become the text that a person would write: no exponent, nothing lost.
    """
    assert Template.parse("{a}").values({"a": value, "other": "ignored"}) == [text]


@strategies.law
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_written_numbers_read_back(value):
    """
    A number loses nothing by becoming text.
    """
    (text,) = Template.parse("{a}").values({"a": value})

    assert float(text) == value
    assert "e" not in text


@pytest.mark.parametrize("substitutions", [{}, {"a": "x"}, {"a": "x", "b": None}])
def test_missing_value_is_missing(substitutions):
    """
    A placeholder without a value, or with null, has none.
    """
    assert Template.parse("{a}{b}").values(substitutions) is None
