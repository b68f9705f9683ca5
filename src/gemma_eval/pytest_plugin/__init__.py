"""The pytest plugin: suites become items, items give outcomes, outcomes are recorded and reported.

`_gemma_eval_pytest` (the entry module) imports from here only when a suite is asked for or found.
"""
