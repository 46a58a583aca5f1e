"""
A session says what its state allows, remembers what is unanswered, and survives any peer.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.channels.smpp import pdu
from penstock.channels.smpp.pdu import Bind
from penstock.channels.smpp.session import Session
from penstock.channels.smpp.spec import LAST_SEQUENCE_NUMBER, RESPONSE, Command, Status
from penstock.channels.smpp.states import BOUND, MAY_SUBMIT, MOVES, Event, IllegalMove, State

BODY = pdu.head_of(b"", (5, 0, b"Shop")) + b"79990001122" + pdu.tail_of(0, b"", 1, 0, b"hello")


def bound(command: Command = Command.BIND_TRANSCEIVER) -> Session:
    """Make a session whose bind was accepted at the instant 0."""
    session = Session(command, response_timeout=10, enquire_link=15)
    session.bind(Bind("penstock", "secret"), 0)
    session.receive(pdu.encode_bind_answer(command, 1, "smsc"), 0)
    return session


def answer(number: int, message_id: bytes = b"id") -> bytes:
    """Make a submit_sm_resp."""
    return pdu.encode_id_answer(Command.SUBMIT_SM_RESP, number, message_id)


def numbers(octets: bytes) -> list[int]:
    """Return the sequence numbers in what a session wrote."""
    return [frame[2] for frame in pdu.split(octets)]


def test_every_state_has_its_moves():
    """
    The table knows every state, and whatever is bound can take leave.
    """
    assert set(MOVES) == set(State)
    assert all(MOVES[state][Event.UNBIND] is State.UNBINDING for state in BOUND)
    assert {state for state, moves in MOVES.items() if Event.SUBMIT in moves} == MAY_SUBMIT
    assert not MOVES[State.CLOSED]


@pytest.mark.parametrize(
    ("command", "state"),
    [
        (Command.BIND_TRANSMITTER, State.BOUND_TX),
        (Command.BIND_RECEIVER, State.BOUND_RX),
        (Command.BIND_TRANSCEIVER, State.BOUND_TRX),
    ],
)
def test_a_bind_leads_to_its_state(command, state):
    """
    Each of the three binds leads to the state of its name.
    """
    assert bound(command).state is state


def test_a_refused_bind_ends_the_session():
    """
    The status of a refused bind is told, and nothing more is said.
    """
    session = Session(Command.BIND_TRANSCEIVER, response_timeout=10, enquire_link=15)
    session.bind(Bind("penstock", "wrong"), 0)

    received = session.receive(pdu.encode_bind_answer(Command.BIND_TRANSCEIVER, 1, "", Status.RINVPASWD), 0)

    assert received.bind_status == Status.RINVPASWD
    assert session.state is State.CLOSED


def test_nothing_is_submitted_before_the_bind():
    """
    An illegal move names the state and the event.
    """
    session = Session(Command.BIND_TRANSCEIVER, response_timeout=10, enquire_link=15)

    with pytest.raises(IllegalMove, match="submit_sm is not allowed while the session is open"):
        session.submit([BODY], ["a"], 0)


def test_a_receiver_submits_nothing():
    """
    On a receiver's connection there are no messages to the carrier.
    """
    with pytest.raises(IllegalMove, match="submit_sm is not allowed while the session is bound as receiver"):
        bound(Command.BIND_RECEIVER).submit([BODY], ["a"], 0)


@given(order=st.permutations(range(6)))
def test_answers_find_their_messages_in_any_order(order):
    """
    A carrier may answer in the order that it likes.
    """
    session = bound()
    entries = list("abcdef")
    written = numbers(session.submit([BODY] * 6, entries, 0))

    received = session.receive(b"".join(answer(written[at], b"%d" % at) for at in order), 1)

    assert received.answers == [(entries[at], 0, str(at)) for at in order]
    assert session.outstanding == 0


def test_an_answer_counts_once():
    """
    The second answer to a message, and an answer to nothing, are counted and change nothing.
    """
    session = bound()
    (number,) = numbers(session.submit([BODY], ["a"], 0))

    received = session.receive(answer(number) + answer(number) + answer(4711), 1)

    assert [entry for entry, _, _ in received.answers] == ["a"]
    assert received.late == 2


def test_a_nack_answers_its_message():
    """
    A carrier that cannot read our message refuses it with its status.
    """
    session = bound()
    (number,) = numbers(session.submit([BODY], ["a"], 0))

    received = session.receive(pdu.encode_header_only(Command.GENERIC_NACK, number, Status.RINVCMDLEN), 1)

    assert received.answers == [("a", Status.RINVCMDLEN, "")]


def test_messages_that_are_not_answered_are_overdue_at_their_time():
    """
    Each message has the same time to be answered, counted from its own writing.
    """
    session = bound()
    session.submit([BODY, BODY], ["a", "b"], 1)
    (third,) = numbers(session.submit([BODY], ["c"], 2))
    session.submit([BODY], ["d"], 3)
    session.receive(answer(third), 3)

    assert session.tick(10.9)[0] == []
    assert session.tick(11)[0] == ["a", "b"]
    assert session.tick(13)[0] == ["d"]
    assert session.outstanding == 0


def test_old_deadlines_do_not_pile_up():
    """
    A session that answers all keeps nothing of what it sent.
    """
    session = bound()
    for at in range(1000):
        (number,) = numbers(session.submit([BODY], [at], 0))
        session.receive(answer(number), 0)
    session.tick(0.1)

    assert not session._deadlines


def test_a_revoked_submit_was_never_there():
    """
    What the gate held back is not waited for, and its numbers are used again.
    """
    session = bound()
    first = numbers(session.submit([BODY, BODY], ["a", "b"], 0))
    session.revoke()

    assert session.outstanding == 0
    assert numbers(session.submit([BODY, BODY], ["c", "d"], 0)) == first
    assert session.abandon() == ["c", "d"]


def test_numbers_begin_again_after_the_last():
    """
    Sequence numbers stay within the specification for ever.
    """
    session = bound()
    session._next = LAST_SEQUENCE_NUMBER - 1

    assert numbers(session.submit([BODY] * 3, "abc", 0)) == [1, 2, 3]


def test_silence_is_asked_about_and_then_ends_it():
    """
    After 15 s of silence we ask; after 10 s without an answer the peer is dead.
    """
    session = bound()

    assert session.tick(14.9) == ([], b"", False)
    _, asked, is_dead = session.tick(15)
    assert [frame[0] for frame in pdu.split(asked)] == [Command.ENQUIRE_LINK]
    assert not is_dead
    assert session.tick(24.9) == ([], b"", False)
    assert session.tick(25) == ([], b"", True)


def test_any_word_ends_the_silence():
    """
    A peer that says anything is alive.
    """
    session = bound()
    session.tick(15)
    session.receive(pdu.encode_header_only(Command.ENQUIRE_LINK_RESP, 2), 16)

    assert session.tick(30.9) == ([], b"", False)
    assert session.tick(31)[1]


def test_questions_of_the_peer_are_answered():
    """
    enquire_link and unbind get their answers, what we do not know a generic_nack.
    """
    session = bound()
    asked = (Command.ENQUIRE_LINK, 7), (Command.QUERY_SM, 8), (Command.UNBIND, 9)

    received = session.receive(b"".join(pdu.encode_header_only(*one) for one in asked), 1)

    assert [(frame[0], frame[1], frame[2]) for frame in pdu.split(received.reply)] == [
        (Command.ENQUIRE_LINK_RESP, 0, 7),
        (Command.GENERIC_NACK, Status.RINVCMDID, 8),
        (Command.UNBIND_RESP, 0, 9),
    ]
    assert session.state is State.CLOSED


def test_answers_still_come_after_our_unbind():
    """
    Taking leave does not lose the answers under way.
    """
    session = bound()
    (number,) = numbers(session.submit([BODY], ["a"], 0))
    leave = session.unbind()

    received = session.receive(answer(number) + pdu.encode_header_only(Command.UNBIND_RESP, numbers(leave)[0]), 1)

    assert [entry for entry, _, _ in received.answers] == ["a"]
    assert session.state is State.CLOSED


def test_a_broken_delivery_is_refused_for_good_and_the_session_goes_on():
    """
    A receipt that cannot be read does not come again and again with each reconnect.
    """
    session = bound()

    received = session.receive(pdu.encode(Command.DELIVER_SM, 5, b"no end"), 1)

    ((command_id, status, number, _, _),) = pdu.split(received.reply)
    assert (command_id, status, number) == (Command.DELIVER_SM_RESP, Status.RX_P_APPN, 5)
    assert received.unreadable == ["service_type at octet 16: expected a C-octet string"]
    assert session.is_bound


def test_what_came_before_a_fault_counts():
    """
    Answers in front of broken octets are outcomes; the session is over.
    """
    session = bound()
    (number,) = numbers(session.submit([BODY], ["a"], 0))

    received = session.receive(answer(number) + bytes(16), 1)

    assert [entry for entry, _, _ in received.answers] == ["a"]
    assert "command_length" in str(received.fault)
    assert session.state is State.CLOSED


def test_a_delivery_on_a_transmitter_is_a_fault():
    """
    A peer that does what the state forbids is told apart by state and event.
    """
    received = bound(Command.BIND_TRANSMITTER).receive(pdu.encode(Command.DELIVER_SM, 5, BODY), 1)

    assert str(received.fault) == "deliver_sm is not allowed while the session is bound as transmitter"


commands = st.sampled_from([int(command) for command in Command]) | st.integers(0, 0xFFFF_FFFF)
bodies = st.binary(max_size=60) | st.just(BODY) | st.just(b"id\0")
pdus = st.builds(pdu.encode, commands, st.integers(0, 12), bodies, st.sampled_from([0, 8, 0x58]))


@given(
    stream=st.lists(pdus | st.binary(max_size=20), max_size=12).map(b"".join),
    cut=st.integers(1, 60),
    command=st.sampled_from([Command.BIND_TRANSMITTER, Command.BIND_RECEIVER, Command.BIND_TRANSCEIVER]),
    is_bound=st.booleans(),
)
def test_no_peer_does_harm(stream, cut, command, is_bound):
    """
    Whatever comes, in whatever pieces, each message has one answer at the most and none is forgotten.
    """
    session = bound(command) if is_bound else Session(command, response_timeout=10, enquire_link=15)
    entries = list(range(5))
    if session.may_submit:
        session.submit([BODY] * 5, entries, 0)
    else:
        entries = []
    answered = []
    for at in range(0, len(stream), cut):
        received = session.receive(stream[at : at + cut], 1)
        answered += [entry for entry, _, _ in received.answers]
        assert len(session._tail) <= pdu.MAX_PDU_SIZE
        if received.fault is not None:
            break

    assert sorted(answered + session.abandon()) == entries


def test_answers_are_commands_with_the_first_bit_set():
    """
    Each command that has an answer has the one that the specification gives it.
    """
    asked = [command for command in Command if command < RESPONSE and f"{command.name}_RESP" in Command.__members__]

    assert len(asked) == 12
    assert all(Command[f"{command.name}_RESP"] == command | RESPONSE for command in asked)
