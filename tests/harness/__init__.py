"""What several kinds of tests share: a PostgreSQL, the installed program as processes, its wire log."""
