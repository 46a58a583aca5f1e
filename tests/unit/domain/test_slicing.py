"""
Runs of consecutive numbers.
"""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from penstock.domain.slicing import cut, runs
from tests import strategies

SEQS = st.sets(st.integers(0, 60)).map(sorted)


@strategies.law
@given(SEQS)
def test_runs_hold_the_same_numbers(seqs):
    """
    The runs hold each number once and nothing else, and no two of them touch.
    """
    found = runs(seqs)

    assert [seq for first, end in found for seq in range(first, end)] == seqs
    assert all(before[1] < after[0] for before, after in itertools.pairwise(found))


@strategies.law
@given(st.integers(0, 50), st.integers(0, 20), SEQS)
def test_cut_leaves_the_other_numbers(first, length, without):
    """
    What is left of a run is all of it but the numbers taken out; those beside it do not matter.
    """
    left = cut((first, first + length), without)

    kept = [seq for begin, end in left for seq in range(begin, end)]
    assert kept == [seq for seq in range(first, first + length) if seq not in without]
    assert all(begin < end for begin, end in left)
