"""
Ways out: each channel turns messages into what one kind of carrier understands.
"""
