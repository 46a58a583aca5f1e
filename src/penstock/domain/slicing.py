"""
Runs of consecutive numbers, as half-open pairs.
"""

from collections.abc import Sequence


def runs(seqs: Sequence[int]) -> list[tuple[int, int]]:
    """Return the runs [first, end) of ascending, distinct *seqs*."""
    found: list[tuple[int, int]] = []
    for seq in seqs:
        if found and found[-1][1] == seq:
            found[-1] = (found[-1][0], seq + 1)
        else:
            found.append((seq, seq + 1))
    return found


def cut(run: tuple[int, int], without: Sequence[int]) -> list[tuple[int, int]]:
    """Return what is left of *run* when the ascending numbers *without* are taken out of it, where they are in it."""
    first, end = run
    left = []
    for seq in without:
        if not first <= seq < end:
            continue
        if first < seq:
            left.append((first, seq))
        first = seq + 1
    if first < end:
        left.append((first, end))
    return left
