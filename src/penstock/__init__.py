"""
Penstock: a self-hosted mass-messaging server that speaks the Direct HTTP API and stops exactly.
"""

__version__ = "0.1.0"
