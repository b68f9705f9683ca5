"""Percentiles, intervals and summaries: pure functions of numbers and outcomes."""
