"""
The wire contract as request and answer pairs, played against the real application and database.
"""
