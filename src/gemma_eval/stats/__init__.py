"""Percentiles, intervals, comparisons and summaries: pure functions of numbers and outcomes."""
