"""Passages in a Redis server, which many processes and machines can share; plain Redis 7 is enough."""
