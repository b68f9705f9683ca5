"""Drives a BERT that makes vectors of sentences, as all-MiniLM does: in NumPy, from its folder."""
