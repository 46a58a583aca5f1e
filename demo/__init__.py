"""
The main job of Penstock on one machine: send at full rate, stop, and count what left.
"""
