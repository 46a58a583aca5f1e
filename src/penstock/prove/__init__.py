"""
The proof of the stop: whole servers as processes, faults, and a judge who trusts the wire alone.
"""
