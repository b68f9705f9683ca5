"""A run in the format of Every Eval Ever 0.3.0, which evaluations of all frameworks are collected in.

Source: evaleval/every_eval_ever:every_eval_ever/schemas/eval.schema.json and
instance_level_eval.schema.json, version 0.3.0.
"""
