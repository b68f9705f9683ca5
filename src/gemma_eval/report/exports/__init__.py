"""A run in the files that other tools read: Every Eval Ever, lm-evaluation-harness, CSV and Parquet."""
