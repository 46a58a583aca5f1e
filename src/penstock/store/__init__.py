"""
The only place that knows SQL: named statements, migrations and COPY, on PostgreSQL 15 or newer.
"""
