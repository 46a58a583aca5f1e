"""
Penstock beside what else a team could run: the same texts, the same carrier, the same machine, in turns.
"""
