"""
The plan of a proof.
"""

import pytest

from penstock.prove.plan import FaultKind, Kind, draw
from penstock.prove.proof import parse_faults


def test_a_seed_decides_all():
    """
    The same seed makes the same plan, another one another.
    """
    assert draw(200, 1, tuple(FaultKind), 4000) == draw(200, 1, tuple(FaultKind), 4000)
    assert draw(200, 1, tuple(FaultKind), 4000) != draw(200, 2, tuple(FaultKind), 4000)


def test_every_kind_of_stop_and_of_fault_comes_up():
    """
    A proof of some length leaves nothing out, and harms some acts but not most.
    """
    acts = draw(300, 1, tuple(FaultKind), 4000)

    assert {act.kind for act in acts} == set(Kind)
    assert {act.fault.kind for act in acts if act.fault} == set(FaultKind)
    assert 0.25 < sum(act.fault is not None for act in acts) / len(acts) < 0.55


def test_a_short_proof_has_every_fault_too():
    """
    As many stops as there are kinds of faults are enough to meet each.
    """
    acts = draw(len(FaultKind), 3, tuple(FaultKind), 4000)

    assert {act.fault.kind for act in acts if act.fault} == set(FaultKind)


def test_without_faults_nothing_is_harmed():
    """
    Whoever asks for no faults gets none.
    """
    assert all(act.fault is None for act in draw(100, 1, (), 4000))


def test_acts_stop_in_the_middle():
    """
    A stop is asked for when some of a dispatch has left, and a good part has not.
    """
    assert all(0 < act.share <= act.later <= 0.8 for act in draw(300, 1, (), 4000))


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("none", ()),
        ("all", tuple(FaultKind)),
        ("kill, postgres,kill", (FaultKind.KILL, FaultKind.POSTGRES)),
        ("flood", None),
        ("", None),
    ],
)
def test_faults_are_named_on_the_command_line(text, kinds):
    """
    Faults are asked for by name, all or none at once, and what is no fault is refused.
    """
    assert parse_faults(text) == kinds
