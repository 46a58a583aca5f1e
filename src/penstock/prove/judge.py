"""
The judge: from the wire log and from what the API answered to whether the promise was kept.

It is pure, and believes the server in nothing that the wire can tell.  What the server says of
itself (the receipt of a stop, the outcome of each message) is compared with the wire, message by
message; where they differ, the server is wrong.

leak       a submit_sm arrived after the 200 of a stop had come, or between the 200 of a pause and
           the request to resume; or a message came that a stop by uuid had answered with 200
duplicate  the carrier took the same part of the same message twice
lost       a message is neither on the wire nor said to be never sent or in doubt; or it is said to
           be sent, and did not come
in doubt   what may or may not have left: no more than the faults explain
receipt    an account that does not add up, or is not what the wire saw
"""

import bisect
import enum
import itertools
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from penstock.domain.errors import ItemCode
from penstock.prove.evidence import Case, Disturbance, Halt, Outcome, Trial
from penstock.prove.plan import Kind
from penstock.prove.wirelog import Answer, Submit

_UNSENT = {ItemCode.STOPPED, ItemCode.EXPIRED}


class Breach(enum.StrEnum):
    """What can be wrong."""

    LEAK = "leak"
    DUPLICATE = "duplicate"
    LOST = "lost"
    IN_DOUBT = "in doubt"
    RECEIPT = "receipt"


class Finding(NamedTuple):
    """One thing that is wrong."""

    breach: Breach
    act: int
    destination: int  #: 0 where it is not about one message
    what: str


class Judged(NamedTuple):
    """What is found of one act."""

    case: Case
    findings: list[Finding]
    seen: int  #: messages that the carrier took
    in_doubt: int
    is_struck: bool  #: it was stopped in its middle: something had left, something had not


def judge(trial: Trial, submits: Iterable[Submit]) -> tuple[list[Judged], list[Finding]]:
    """Judge each act by what is on the wire of it; also returns what belongs to no act."""
    cases = sorted(trial.cases, key=lambda case: case.numbers.start)
    starts = [case.numbers.start for case in cases]
    sorted_out: list[list[Submit]] = [[] for _ in cases]
    strangers = []
    for one in submits:
        at = bisect.bisect_right(starts, one.destination) - 1
        if at >= 0 and one.destination in cases[at].numbers:
            sorted_out[at].append(one)
        else:
            strangers.append(Finding(Breach.LEAK, -1, one.destination, "a destination that nobody gave"))
    judged = [judge_case(case, mine, trial.disturbances) for case, mine in zip(cases, sorted_out, strict=True)]
    return sorted(judged, key=lambda one: one.case.number), strangers


def judge_case(case: Case, submits: Sequence[Submit], disturbances: Sequence[Disturbance]) -> Judged:
    """Judge one act; *submits* are those to its destinations."""
    had = [one for one in submits if one.answer is not Answer.THROTTLED]
    wire = _Wire(had, case.parts)
    doubted = {number for number, outcome in _told(case) if outcome and outcome.code == ItemCode.OUTCOME_UNKNOWN}
    findings = [
        *(Finding(Breach.RECEIPT, case.number, 0, complaint) for complaint in case.complaints),
        *_leaks(case, submits),
        *_duplicates(case, had),
        *_outcomes(case, wire),
        *_doubts(case, wire, doubted, disturbances),
        *_receipt(case, wire, doubted),
    ]
    return Judged(case, findings, len(wire.seen), len(doubted), _is_struck(case, had))


class _Wire:
    """What the carrier took of one act, by message."""

    def __init__(self, had: Sequence[Submit], parts: int) -> None:
        self._parts: dict[int, dict[int, Answer]] = {}
        for one in had:
            self._parts.setdefault(one.destination, {})[one.part] = one.answer
        self.seen = set(self._parts)
        self.accepted = {
            number
            for number, answers in self._parts.items()
            if len(answers) == parts and set(answers.values()) == {Answer.ACCEPTED}
        }
        self.refused = self._with(Answer.REFUSED)
        self.unanswered = self._with(Answer.LOST)

    def _with(self, answer: Answer) -> set[int]:
        return {number for number, answers in self._parts.items() if answer in answers.values()}


def _leaks(case: Case, submits: Sequence[Submit]) -> Iterable[Finding]:
    for one in submits:
        for halt in case.halts:
            if halt.read_at < one.mono < halt.until:
                late = (one.mono - halt.read_at) * 1000
                yield Finding(Breach.LEAK, case.number, one.destination, f"came {late:.1f} ms after the answer")
        stopped_at = case.held.get(one.destination)
        if stopped_at is not None and (one.answer is not Answer.THROTTLED or one.mono > stopped_at):
            yield Finding(Breach.LEAK, case.number, one.destination, "came although its stop was answered with 200")


def _duplicates(case: Case, had: Sequence[Submit]) -> Iterable[Finding]:
    for (number, part), count in Counter((one.destination, one.part) for one in had).items():
        for _ in range(count - 1):
            yield Finding(Breach.DUPLICATE, case.number, number, f"part {part} was taken {count} times")


def _outcomes(case: Case, wire: _Wire) -> Iterable[Finding]:
    """Compare what the API says of each message with the wire."""
    if case.complaints and not case.outcomes:
        return  # the act broke off before it could ask; that alone spoils the proof
    for number, outcome in _told(case):
        if outcome is None:
            yield Finding(Breach.LOST, case.number, number, "the server knows nothing of it")
            continue
        found = _contradiction(outcome, number, wire)
        if found is not None:
            yield Finding(found[0], case.number, number, found[1])
        if number in case.held and outcome.code != ItemCode.STOPPED:
            yield Finding(Breach.RECEIPT, case.number, number, f"its stop was answered with 200, it is {outcome}")


def _told(case: Case) -> Iterable[tuple[int, Outcome | None]]:
    """Return each message with what the API says of it."""
    return itertools.zip_longest(case.numbers, case.outcomes[: len(case.numbers)])


def _contradiction(outcome: Outcome, number: int, wire: _Wire) -> tuple[Breach, str] | None:  # noqa: PLR0911 - one answer for each case
    """Return in what the wire contradicts one outcome."""
    status, code = outcome
    if status == "sending":
        return Breach.LOST, "it still waits, and nothing will send it"
    if code == ItemCode.OUTCOME_UNKNOWN:
        return None
    if number in wire.unanswered:
        return Breach.RECEIPT, f"the carrier did not answer, and it is {status}"
    if code in _UNSENT:
        return (Breach.RECEIPT, "it is said to be unsent, and came") if number in wire.seen else None
    if code == ItemCode.REJECTED:
        return None if number in wire.refused else (Breach.RECEIPT, "it is said to be refused, and was not")
    if status in ("sent", "delivered", "undelivered"):
        return None if number in wire.accepted else (Breach.LOST, f"it is said to be {status}, and was not taken")
    return Breach.RECEIPT, f"an outcome that makes no sense: {status} {code}"


def _doubts(case: Case, wire: _Wire, doubted: set[int], disturbances: Sequence[Disturbance]) -> Iterable[Finding]:
    bound = len(wire.unanswered) + sum(
        one.in_doubt for one in disturbances if one.began_at <= case.ended_at and case.began_at <= one.ended_at
    )
    if len(doubted) > bound:
        yield Finding(Breach.IN_DOUBT, case.number, 0, f"{len(doubted)} in doubt, explained are {bound}")


def _receipt(case: Case, wire: _Wire, doubted: set[int]) -> Iterable[Finding]:
    """Compare the account of a stop with itself, with the outcomes, and with the wire."""
    receipt = case.receipt
    if receipt is None:
        return
    counts = receipt.counts
    unsent = sum(outcome is not None and outcome.code == ItemCode.STOPPED for outcome in case.outcomes)
    size = len(case.numbers)
    expected = (
        ("total", receipt.total, size),
        ("sum", counts.accepted + counts.refused + counts.in_doubt + counts.never_sent, size),
        ("late", receipt.late, 0),
        ("accepted", counts.accepted, len(wire.accepted - doubted)),
        ("refused", counts.refused, len(wire.refused - doubted)),
        ("in doubt", counts.in_doubt, len(doubted)),
        ("never sent", counts.never_sent, unsent),
        ("never sent by the wire", counts.never_sent, size - len(wire.seen | doubted)),
        ("accepted by carrier", sum(one.accepted for one in receipt.carriers), counts.accepted),
        ("refused by carrier", sum(one.refused for one in receipt.carriers), counts.refused),
        ("in doubt by carrier", sum(one.in_doubt for one in receipt.carriers), counts.in_doubt),
    )
    for name, said, found in expected:
        if said != found:
            yield Finding(Breach.RECEIPT, case.number, 0, f"{name}: the receipt says {said}, found {found}")
    if case.receipt_in_doubt != doubted:
        yield Finding(Breach.RECEIPT, case.number, 0, "the receipt names other messages in doubt than the export")


def _is_struck(case: Case, had: Sequence[Submit]) -> bool:
    """Tell whether the act stopped something in its middle."""
    if case.kind is Kind.SINGLES:
        return bool(case.held) and bool(had)
    if not case.halts:
        return False
    before = {one.destination for one in had if one.mono <= case.halts[0].read_at}
    return 0 < len(before) < len(case.numbers)


def overlapping(halt: Halt, disturbances: Sequence[Disturbance]) -> set[str]:
    """Return the kinds of faults that were on while a stop was answered."""
    return {one.kind for one in disturbances if one.began_at <= halt.read_at and halt.asked_at <= one.ended_at}
