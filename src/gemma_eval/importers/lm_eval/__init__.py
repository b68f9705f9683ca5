"""Tasks of lm-evaluation-harness that are data alone: their YAML becomes a suite."""
