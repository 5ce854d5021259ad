"""Where a router keeps what outlives it or is shared with other processes: memory, an SQLite file, Redis.

A store has rooms, each a protocol of its own (base.py): `budgets`, `lessons`, `reports`, and the ledger's `calls`.
"""
