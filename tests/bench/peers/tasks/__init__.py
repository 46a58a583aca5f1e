"""
What a team would write instead of a gateway: a task a message, in Celery or in dramatiq.

These modules run in the peers' own environment, not in ours.
"""
