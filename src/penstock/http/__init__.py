"""
The HTTP side: the wire contract of the Direct API and our own surface beside it.
"""
