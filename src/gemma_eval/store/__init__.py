"""Where outcomes are kept: one SQLite file, one writer, and nothing acknowledged before it is committed."""
