"""Adapters that drive an engine: each loads one model and turns a prompt into a stamped generation."""
