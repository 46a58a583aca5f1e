"""
What Penstock knows about messages: pure values and functions, no I/O and no clock.
"""
