"""
Messages become submit_sm as the settings say, and a long one has one fate.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.channels.smpp import pdu
from penstock.channels.smpp.outbound import LongMessage, Writer, validity_period
from penstock.channels.smpp.settings import SmppSettings
from penstock.channels.smpp.spec import Status
from penstock.domain.outcome import Accepted, Lost, Outgoing, Rejected, Throttled


def message(text: str = "hello", sender_name: str = "Shop", ttl: int | None = None) -> Outgoing:
    """Make a message to one number."""
    return Outgoing(1, 2, sender_name, 79990001122, text, ttl)


def written(outgoing: Outgoing, **settings: object) -> list[pdu.ShortMessage]:
    """Return the short messages that the writer makes of a message."""
    bodies = Writer(SmppSettings(**settings)).bodies(outgoing)
    return [pdu.parse_short_message(body, 0, len(body)) for body in bodies]


@pytest.mark.parametrize(
    ("sender_name", "settings", "source"),
    [
        ("Shop", {}, (5, 0, b"Shop")),
        ("1234", {}, (1, 1, b"1234")),
        ("+79990001122", {}, (1, 1, b"79990001122")),
        ("1234", {"source_ton": 3, "source_npi": 0}, (3, 0, b"1234")),
        ("Shop", {"source_ton": 0}, (0, 0, b"Shop")),
        ("Магазин", {}, (5, 0, b"???????")),
    ],
)
def test_a_sender_name_has_its_kind_of_number(sender_name, settings, source):
    """
    Names are alphanumeric, digits international, unless the carrier wants it otherwise.
    """
    (found,) = written(message(sender_name=sender_name), **settings)

    assert (found.source_ton, found.source_npi, found.source) == source


def test_a_destination_is_international():
    """
    Numbers go out as E.164 digits.
    """
    (found,) = written(message(), service_type="WAP")

    assert (found.destination_ton, found.destination_npi, found.destination) == (1, 1, b"79990001122")
    assert found.service_type == b"WAP"


@pytest.mark.parametrize(
    ("seconds", "period"),
    [
        (60, b"000000000100000R"),
        (86_400, b"000001000000000R"),
        (90_061, b"000001010101000R"),
        (40 * 86_400, b"000110000000000R"),
    ],
)
def test_a_lifetime_is_a_relative_time(seconds, period):
    """
    The carrier tries for as long as the client asked.
    """
    assert validity_period(seconds) == period
    assert written(message(ttl=seconds))[0].validity_period == period


def test_no_lifetime_leaves_it_to_the_carrier():
    """
    Without a ttl the carrier's own lifetime counts.
    """
    assert written(message())[0].validity_period == b""


def test_only_the_last_part_asks_for_a_receipt():
    """
    One long message has one receipt.
    """
    assert [part.registered_delivery for part in written(message("A" * 400))] == [0, 0, 1]


def test_each_long_message_has_its_own_reference():
    """
    Two long texts that arrive together are not mixed by the handset.
    """
    writer = Writer(SmppSettings())
    first, second = (writer.bodies(message("A" * 200)) for _ in range(2))

    assert first != second


@given(texts=st.lists(st.tuples(st.sampled_from(["a", "b", "я"]), st.sampled_from([None, 60])), max_size=12))
def test_what_is_kept_from_the_last_message_is_never_wrong(texts):
    """
    Each message gets its own text and lifetime, whatever came before it.
    """
    writer = Writer(SmppSettings())
    for text, ttl in texts:
        outgoing = message(text, ttl=ttl)
        assert writer.bodies(outgoing) == Writer(SmppSettings()).bodies(outgoing)


@given(
    text=st.text(st.sampled_from("ab @\n\r1Z~€Я_"), max_size=165) | st.integers(155, 165).map(lambda size: "a" * size),
    ttl=st.sampled_from([None, 60, 86_400]),
    encoding=st.sampled_from(["gsm", "latin1"]),
    long_text=st.sampled_from(["udh", "sar", "payload"]),
)
def test_the_short_way_writes_what_the_long_one_writes(text, ttl, encoding, long_text):
    """
    A text that takes the short way comes out octet for octet as it would on the long one.
    """
    writer = Writer(SmppSettings(encoding=encoding, long_text=long_text))
    bodies = writer.bodies(message(text, ttl=ttl))

    other = Writer(SmppSettings(encoding=encoding, long_text=long_text))
    assert bodies == [other._head("Shop") + b"79990001122" + tail for tail in other._encode(text, ttl)]


def whole(parts: int = 3) -> LongMessage:
    """Make a long message that was just written."""
    return LongMessage(message(), [b""] * parts, 0)


def test_a_long_message_is_accepted_under_its_last_id():
    """
    The receipt will name the last part, in whatever order parts were answered.
    """
    long = whole()
    for part in (2, 0, 1):
        assert long.outcome is None
        long.answer(part, 0, f"id{part}")

    assert long.outcome == Accepted("id2")


def test_a_long_message_is_refused_with_any_of_its_parts():
    """
    A text without its middle is not a text.
    """
    long = whole()
    long.answer(0, 0, "id0")
    long.answer(1, Status.RINVDSTADR, "")
    long.lose()

    assert long.outcome == Rejected(Status.RINVDSTADR)


def test_a_long_message_is_lost_with_any_of_its_parts():
    """
    Where one answer is missing, the whole is in doubt.
    """
    long = whole()
    long.answer(0, 0, "id0")
    long.answer(1, Status.RTHROTTLED, "")
    long.lose()

    assert long.outcome == Lost()


def test_a_long_message_that_was_throttled_whole_goes_back():
    """
    Where the carrier took nothing, nothing was begun.
    """
    long = whole()
    for part in range(3):
        long.answer(part, Status.RTHROTTLED, "")

    assert long.outcome == Throttled()


def test_a_long_message_that_was_begun_is_finished():
    """
    Throttled parts are written again until the carrier has them all.
    """
    long = whole()
    long.answer(0, 0, "id0")
    long.answer(1, Status.RTHROTTLED, "")
    long.answer(2, Status.RTHROTTLED, "")
    assert long.is_to_write_again

    long.await_again()
    assert not long.is_to_write_again
    long.answer(1, 0, "id1")
    long.answer(2, 0, "id2")

    assert long.outcome == Accepted("id2")
