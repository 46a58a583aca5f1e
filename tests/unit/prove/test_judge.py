"""
The judge: it finds each kind of wrong, and nothing where nothing is wrong.
"""

import math

import pytest

from penstock.domain.errors import ItemCode
from penstock.http.shapes import CarrierAnswer, PartitionAnswer, ReceiptAnswer
from penstock.prove.evidence import Case, Disturbance, Halt, Outcome, Trial
from penstock.prove.judge import Breach, judge
from penstock.prove.plan import FaultKind, Kind
from penstock.prove.verdict import decide
from penstock.prove.wirelog import Answer, Submit

FIRST = 79_000_000_000
SENT = Outcome("sent", None)
NEVER = Outcome("unsent", ItemCode.STOPPED)
REFUSED = Outcome("unsent", ItemCode.REJECTED)
DOUBTED = Outcome("sent", ItemCode.OUTCOME_UNKNOWN)


def came(number: int, at: float, answer: Answer = Answer.ACCEPTED, part: int = 1) -> Submit:
    """Return what the wire saw of the message *number*."""
    return Submit(at, FIRST + number, answer, 1, part)


def receipt(accepted: int, refused: int, in_doubt: int, never_sent: int, **changes: object) -> ReceiptAnswer:
    """Return a receipt that adds up, unless *changes* say otherwise."""
    values = {
        "dispatch_id": 1, "requested": "", "effective": "", "key_id": 1, "took_ms": 1.0,
        "total": accepted + refused + in_doubt + never_sent,
        "counts": PartitionAnswer(accepted=accepted, refused=refused, in_doubt=in_doubt, never_sent=never_sent),
        "carriers": [CarrierAnswer(accepted=accepted, refused=refused, in_doubt=in_doubt)],
        "in_doubt": [], "late": 0,
    }  # fmt: skip
    return ReceiptAnswer(**(values | changes))


def stopped(**changes: object) -> Case:
    """Return a dispatch of six: three accepted, one refused, one in doubt, one never sent; stopped at 10."""
    values = {
        "number": 0, "kind": Kind.STOP, "numbers": range(FIRST, FIRST + 6), "parts": 1,
        "began_at": 0.0, "ended_at": 20.0, "halts": [Halt(9.9, 10.0)],
        "receipt": receipt(3, 1, 1, 1), "receipt_in_doubt": frozenset({FIRST + 4}),
        "outcomes": [SENT, SENT, SENT, REFUSED, DOUBTED, NEVER],
    }  # fmt: skip
    return Case(**(values | changes))


WIRE = [came(0, 1), came(1, 2), came(2, 9.95), came(3, 3, Answer.REFUSED), came(4, 4, Answer.LOST)]
KILLED = Disturbance(FaultKind.KILL, 4.5, 6.0, "sender 1 killed", 1)


def found(case: Case, wire: list[Submit], *disturbances: Disturbance) -> list[Breach]:
    """Return what the judge finds wrong."""
    judged, strangers = judge(Trial(cases=[case], disturbances=list(disturbances)), wire)
    return [finding.breach for finding in (*strangers, *judged[0].findings)]


def test_a_stop_that_was_kept_is_found_right():
    """
    Where account and wire agree nothing is found.
    """
    assert found(stopped(), WIRE) == []


def test_what_comes_after_the_answer_is_a_leak():
    """
    One message that comes when the 200 has been read is a leak, whatever the server calls it.
    """
    late = [came(0, 1), came(1, 2), came(2, 9.95), came(3, 3, Answer.REFUSED), came(4, 10.001, Answer.LOST)]

    assert found(stopped(), late) == [Breach.LEAK]


def test_a_throttled_message_after_the_answer_is_a_leak():
    """
    That the carrier did not take a message does not excuse whoever wrote it after the stop.
    """
    assert found(stopped(), [*WIRE, came(5, 10.001, Answer.THROTTLED)]) == [Breach.LEAK]


def test_a_throttled_message_before_the_stop_was_not_taken():
    """
    What the carrier threw back and was not sent again is never sent.
    """
    assert found(stopped(), [*WIRE, came(5, 9, Answer.THROTTLED)]) == []


def test_what_comes_during_a_pause_is_a_leak():
    """
    Between the answer to a pause and the request to resume nothing may come; afterwards it may.
    """
    paused = stopped(halts=[Halt(0.9, 1.5, 1.9), Halt(9.9, 10.0)])
    in_between = [came(0, 1.7), *WIRE[1:]]

    assert found(paused, WIRE) == []
    assert found(paused, in_between) == [Breach.LEAK]


@pytest.mark.parametrize("at", [1.0, 19.0])
def test_what_was_stopped_by_uuid_never_comes(at):
    """
    An item answered 200 is a leak whenever it is taken, also before the answer.
    """
    single = Case(
        number=0, kind=Kind.SINGLES, numbers=range(FIRST, FIRST + 2), parts=1, held={FIRST: 5.0},
        outcomes=[NEVER, SENT],
    )  # fmt: skip

    assert found(single, [came(1, 1)]) == []
    assert Breach.LEAK in found(single, [came(1, 1), came(0, at)])


def test_what_was_stopped_by_uuid_must_be_called_so():
    """
    An item answered 200 that the server calls waiting, or anything else, is a contradiction.
    """
    single = Case(
        number=0, kind=Kind.SINGLES, numbers=range(FIRST, FIRST + 1), parts=1, held={FIRST: 5.0},
        outcomes=[Outcome("unsent", ItemCode.EXPIRED)],
    )  # fmt: skip

    assert found(single, []) == [Breach.RECEIPT]


def test_the_same_part_twice_is_a_duplicate():
    """
    Each further taking of a part counts; the parts of one message are not twins.
    """
    two_parts = stopped(
        numbers=range(FIRST, FIRST + 1), parts=2, receipt=receipt(1, 0, 0, 0), receipt_in_doubt=frozenset(),
        outcomes=[SENT],
    )  # fmt: skip
    whole = [came(0, 1), came(0, 1, part=2)]

    assert found(two_parts, whole) == []
    assert found(two_parts, [*whole, came(0, 2, part=2), came(0, 3, part=2)]) == [Breach.DUPLICATE] * 2


def test_half_a_message_is_not_sent():
    """
    A message of which a part is missing was lost, if it is called sent.
    """
    two_parts = Case(number=0, kind=Kind.PAUSE_END, numbers=range(FIRST, FIRST + 1), parts=2, outcomes=[SENT])

    assert found(two_parts, [came(0, 1)]) == [Breach.LOST]


def test_what_nobody_knows_of_is_lost():
    """
    A message that is in no account is lost, and so is one that is called sent and did not come.
    """
    known = stopped().outcomes

    assert Breach.LOST in found(stopped(outcomes=[*known[:5], None]), WIRE)
    assert Breach.LOST in found(stopped(outcomes=known[:5]), WIRE)
    assert Breach.LOST in found(stopped(), WIRE[1:])


def test_what_waits_for_ever_is_lost():
    """
    When all is over nothing may still be waiting.
    """
    waiting = Case(
        number=0, kind=Kind.PAUSE_END, numbers=range(FIRST, FIRST + 1), parts=1,
        outcomes=[Outcome("sending", None)],
    )  # fmt: skip

    assert found(waiting, []) == [Breach.LOST]


@pytest.mark.parametrize(
    ("number", "outcome"),
    [
        (0, NEVER),  # said to be never sent, and came
        (0, REFUSED),  # said to be refused, and was accepted
        (3, SENT),  # said to be sent, and was refused
        (4, SENT),  # said to be sent, and was not answered
    ],
)
def test_an_outcome_that_the_wire_contradicts_is_wrong(number, outcome):
    """
    What the server says of one message must be what the wire saw of it.
    """
    outcomes = stopped().outcomes
    outcomes[number] = outcome

    assert found(stopped(outcomes=outcomes), WIRE, KILLED) != []


@pytest.mark.parametrize(
    "account",
    [
        receipt(4, 1, 1, 0),
        receipt(3, 1, 0, 2),
        receipt(2, 2, 1, 1),
        receipt(3, 1, 1, 1, total=7),
        receipt(3, 1, 1, 1, late=1),
        receipt(3, 1, 1, 1, carriers=[]),
    ],
)
def test_a_receipt_that_is_not_what_the_wire_saw_is_wrong(account):
    """
    Each number of the receipt is compared.
    """
    assert set(found(stopped(receipt=account), WIRE)) == {Breach.RECEIPT}


def test_a_receipt_names_those_in_doubt():
    """
    The receipt must name the very messages that are in doubt.
    """
    assert found(stopped(receipt_in_doubt=frozenset({FIRST})), WIRE) == [Breach.RECEIPT]


def test_doubt_without_a_reason_is_wrong():
    """
    What is in doubt must be explained by an answer that was lost or by a fault at its time.
    """
    answered = [*WIRE[:4], came(4, 4)]
    too_late = KILLED._replace(began_at=21.0, ended_at=math.inf)

    assert found(stopped(), answered) == [Breach.IN_DOUBT]
    assert found(stopped(), answered, too_late) == [Breach.IN_DOUBT]
    assert found(stopped(), answered, KILLED) == []
    assert found(stopped(), WIRE[:4], KILLED) == []


def test_a_destination_that_nobody_gave_is_a_leak():
    """
    The wire may show nothing that was not asked for.
    """
    assert found(stopped(), [*WIRE, came(6, 1)]) == [Breach.LEAK]


def test_what_the_server_should_not_have_answered_counts():
    """
    A complaint about an answer spoils the proof.
    """
    broken_off = stopped(complaints=["POST /messages: 500"], outcomes=[], receipt=None)

    assert found(stopped(complaints=["POST /stop: 500"]), WIRE) == [Breach.RECEIPT]
    assert found(broken_off, []) == [Breach.RECEIPT]


def test_a_verdict_passes_only_without_a_finding():
    """
    One leak is enough to fail, and a proof of nothing is none.
    """

    def verdict(cases: list[Case], wire: list[Submit]):
        return decide(Trial(cases=cases, disturbances=[]), wire, seed=1, seconds=1.0)

    good, bad = verdict([stopped()], WIRE), verdict([stopped()], [*WIRE, came(5, 11)])

    assert good.passed
    assert (good.stops, good.in_the_middle, good.messages, good.in_doubt, good.in_doubt_bound) == (1, 1, 5, 1, 1)
    assert not bad.passed
    assert (bad.leaks, bad.wrong[0].destination) == (1, FIRST + 5)
    assert not verdict([], []).passed


def test_a_proof_that_strikes_nothing_is_none():
    """
    Stops that came when all had left, or nothing had, do not pass.
    """
    all_left = stopped(receipt=None, receipt_in_doubt=frozenset(), outcomes=[SENT] * 6)
    verdict = decide(
        Trial(cases=[all_left], disturbances=[]), [came(number, 1) for number in range(6)], seed=1, seconds=1.0
    )

    assert not verdict.wrong
    assert (verdict.in_the_middle, verdict.passed) == (0, False)


def test_replies_are_sorted_by_the_faults_that_were_on():
    """
    A stop that was answered while two faults were on is in both rows, one without in none of them.
    """
    frozen = Disturbance(FaultKind.FREEZE, 9.0, 11.0, "sender 2 frozen", 1)
    killed = KILLED._replace(began_at=9.95, ended_at=12.0)
    other = stopped(
        number=1, numbers=range(FIRST + 100, FIRST + 101), halts=[Halt(30.0, 30.5)], receipt=None, began_at=25,
        ended_at=31, outcomes=[NEVER],
    )  # fmt: skip
    rows = decide(Trial(cases=[stopped(), other], disturbances=[frozen, killed]), WIRE, seed=1, seconds=1.0).by_fault

    assert {name: (row.faults, row.stops) for name, row in rows.items()} == {
        "none": (0, 1), "freeze": (1, 1), "kill": (1, 1),
    }  # fmt: skip
    assert rows["none"].reply.max == 500.0


def test_a_leak_belongs_to_the_faults_that_its_act_met():
    """
    An act whose pause leaked in a freeze, and whose stop met nothing, is no leak without a fault.
    """
    frozen = Disturbance(FaultKind.FREEZE, 0.5, 1.8, "sender 2 frozen", 1)
    act = stopped(halts=[Halt(0.9, 1.5, 1.9), Halt(9.9, 10.0)])
    rows = decide(Trial(cases=[act], disturbances=[frozen]), [came(0, 1.7), *WIRE[1:]], seed=1, seconds=1.0).by_fault

    assert {name: (row.stops, row.leaks) for name, row in rows.items()} == {"none": (1, 0), "freeze": (1, 1)}
