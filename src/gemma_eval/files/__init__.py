"""Files that people write: read with limits, decoded with guards, every problem with its line."""
