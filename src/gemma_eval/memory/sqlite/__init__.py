"""The store that needs nothing else: passages, their words and their vectors in one SQLite file."""
