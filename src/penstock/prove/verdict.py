"""
The verdict: a proof in numbers, for people and for scripts.
"""

import math
from collections.abc import Iterable, Sequence

import msgspec

from penstock.prove.evidence import Trial
from penstock.prove.judge import Breach, Finding, Judged, judge, overlapping
from penstock.prove.wirelog import Answer, Submit

NO_FAULT = "none"
_SHOWN = 200  #: findings in a verdict; their number is counted in full


class Reply(msgspec.Struct, frozen=True):
    """Milliseconds from the request of a stop to its answer."""

    p50: float
    p99: float
    max: float


class Row(msgspec.Struct, frozen=True):
    """Stops during which one kind of fault was on."""

    faults: int  #: how many of them were made
    stops: int  #: stops and pauses whose answer came while one was on
    leaks: int  #: of acts of which a stop is among them; "none" counts acts that met no fault at all
    reply: Reply | None  #: None where there was no stop


class Made(msgspec.Struct, frozen=True):
    """One fault that was made."""

    kind: str
    what: str
    at: float  #: CLOCK_MONOTONIC, as in the wire log
    seconds: float  #: until all was as before
    in_doubt: int  #: messages that it may have put in doubt


class Wrong(msgspec.Struct, frozen=True):
    """One thing that is wrong."""

    what: str
    act: int
    destination: int
    details: str


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What a proof has shown."""

    passed: bool
    seed: int
    stops: int  #: acts: stops of dispatches, pauses, stops by uuid
    in_the_middle: int  #: of them: something had left, something had not
    messages: int  #: taken by the carrier
    seconds: float
    leaks: int
    duplicates: int
    lost: int
    in_doubt: int
    in_doubt_bound: int
    in_doubt_unexplained: int  #: acts with more in doubt than the faults at their time explain
    receipts: int  #: compared with the wire
    receipts_wrong: int  #: contradictions
    by_uuid: int  #: messages whose stop by uuid was answered with 200
    reply: Reply | None
    by_fault: dict[str, Row]
    faults: list[Made]
    wrong: list[Wrong]


def decide(trial: Trial, submits: Sequence[Submit], *, seed: int, seconds: float) -> Verdict:
    """Judge a proof and add up."""
    judged, strangers = judge(trial, submits)
    findings = [*strangers, *(finding for one in judged for finding in one.findings)]
    count = dict.fromkeys(Breach, 0)
    for finding in findings:
        count[finding.breach] += 1
    in_doubt = sum(one.in_doubt for one in judged)
    unanswered = {one.destination for one in submits if one.answer is Answer.LOST}
    bound = len(unanswered) + sum(one.in_doubt for one in trial.disturbances)
    struck = sum(one.is_struck for one in judged)
    return Verdict(
        # A proof that hardly strikes proves nothing.
        passed=0 < len(judged) <= 2 * struck and not findings and in_doubt <= bound,
        seed=seed,
        stops=len(judged),
        in_the_middle=struck,
        messages=sum(one.seen for one in judged),
        seconds=seconds,
        leaks=count[Breach.LEAK],
        duplicates=count[Breach.DUPLICATE],
        lost=count[Breach.LOST],
        in_doubt=in_doubt,
        in_doubt_bound=bound,
        in_doubt_unexplained=count[Breach.IN_DOUBT],
        receipts=sum(one.case.receipt is not None for one in judged),
        receipts_wrong=count[Breach.RECEIPT],
        by_uuid=sum(len(one.case.held) for one in judged),
        reply=_reply(halt.read_at - halt.asked_at for one in judged for halt in one.case.halts),
        by_fault=_by_fault(trial, judged),
        faults=[
            Made(one.kind, one.what, one.began_at, round(one.ended_at - one.began_at, 3), one.in_doubt)
            for one in trial.disturbances
        ],
        wrong=[_wrong(finding) for finding in findings[:_SHOWN]],
    )


def _by_fault(trial: Trial, judged: Sequence[Judged]) -> dict[str, Row]:
    """Sort stops by the faults that were on while they were answered; one may be in several rows."""
    made = [one.kind.value for one in trial.disturbances]
    replies: dict[str, list[float]] = {name: [] for name in (NO_FAULT, *sorted(set(made)))}
    leaks = dict.fromkeys(replies, 0)
    for one in judged:
        names: set[str] = set()
        for halt in one.case.halts:
            on = overlapping(halt, trial.disturbances)
            names |= on
            for name in on or {NO_FAULT}:
                replies[name].append(halt.read_at - halt.asked_at)
        for name in names or {NO_FAULT}:
            leaks[name] += sum(finding.breach is Breach.LEAK for finding in one.findings)
    return {name: Row(made.count(name), len(times), leaks[name], _reply(times)) for name, times in replies.items()}


def _reply(seconds: Iterable[float]) -> Reply | None:
    times = sorted(seconds)
    if not times:
        return None
    # The nearest rank: a number that was measured.
    rank = [times[math.ceil(len(times) * share) - 1] for share in (0.5, 0.99, 1)]
    return Reply(*(round(time * 1000, 2) for time in rank))


def _wrong(finding: Finding) -> Wrong:
    return Wrong(finding.breach.value, finding.act, finding.destination, finding.what)
