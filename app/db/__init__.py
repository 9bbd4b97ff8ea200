"""What is remembered, on SQLite or PostgreSQL: tables, the inbox, the queue of jobs, letters, history.

`store` makes one of each. It keeps what was acknowledged and decides nothing; the rules are in `domain`.
"""
