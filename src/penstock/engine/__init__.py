"""
What makes a dispatch go and stop: claims, the lease and its gate, the recorder, the stop.
"""
