"""Statements and transactions on a real PostgreSQL."""
