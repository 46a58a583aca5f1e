"""
How fast it is, and what it costs.  Prints numbers, asserts nothing.
"""
