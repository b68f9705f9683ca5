"""Configurations of promptfoo that are data alone: their YAML becomes a suite."""
