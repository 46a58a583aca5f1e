"""
The verdict as people read it.
"""

import io

from rich.console import Console

from penstock.cli.verdict import Telling, draw
from penstock.prove.proof import Progress
from penstock.prove.verdict import Reply, Row, Verdict, Wrong


def _verdict(**changes: object) -> Verdict:
    values = {
        "passed": True, "seed": 7, "stops": 12, "in_the_middle": 11, "messages": 34_567, "seconds": 89.1, "leaks": 0,
        "duplicates": 0, "lost": 0, "in_doubt": 3, "in_doubt_bound": 400, "in_doubt_unexplained": 0, "receipts": 10,
        "receipts_wrong": 0, "by_uuid": 45, "reply": Reply(4.2, 98.7, 2001.5),
        "by_fault": {"none": Row(0, 10, 0, Reply(3.9, 8.8, 9.9)), "kill": Row(2, 0, 0, None)},
        "faults": [], "wrong": [],
    }  # fmt: skip
    return Verdict(**(values | changes))


def _said(verdict: Verdict) -> str:
    console = Console(file=io.StringIO(), width=80)
    console.print(draw(verdict))
    return console.file.getvalue()


def test_the_first_line_says_it_all():
    """
    One glance tells whether it passed, and what was wrong if not.
    """
    good, bad = _said(_verdict()), _said(_verdict(passed=False, leaks=2))

    assert good.strip().splitlines()[0].split() == [
        "PASS",
        "12",
        "stops:",
        "0",
        "leaks,",
        "0",
        "duplicates,",
        "0",
        "lost",
    ]
    assert bad.strip().splitlines()[0].split() == [
        "FAIL",
        "12",
        "stops:",
        "2",
        "leaks,",
        "0",
        "duplicates,",
        "0",
        "lost",
    ]


def test_every_number_is_shown():
    """
    A person sees what a script sees.
    """
    said = _said(_verdict())

    for number in ("34567", "3 / 400", "4.2 / 98.7 / 2001.5", "45", "89, 7", "3.9", "kill"):
        assert number in said


def test_what_is_wrong_is_named():
    """
    A finding is shown with its act and its destination.
    """
    said = _said(_verdict(passed=False, leaks=1, wrong=[Wrong("leak", 5, 79000000001, "came 3.1 ms after the answer")]))

    assert "79000000001" in said
    assert "came 3.1 ms after the answer" in said


def test_russian_is_spoken(monkeypatch):
    """
    Whoever asks for Russian reads the verdict in Russian.
    """
    monkeypatch.setenv("PENSTOCK_LANGUAGE", "ru")

    said = _said(_verdict())

    assert "ДОКАЗАНО" in said
    assert "leaks" not in said


def test_progress_is_a_line_now_and_then():
    """
    Where there is no terminal a long proof is not silent, and not a flood.
    """
    console = Console(file=io.StringIO(), width=80)
    telling = Telling(console)
    for seconds in range(12):
        telling.tell(Progress(seconds, 100, 1000 * seconds, 0, float(seconds)))
    telling.end()

    assert console.file.getvalue().splitlines() == [
        "0 of 100 stops, 0 messages on the wire, 0 faults, 0 s",
        "5 of 100 stops, 5000 messages on the wire, 0 faults, 5 s",
        "10 of 100 stops, 10000 messages on the wire, 0 faults, 10 s",
    ]
