"""Read what other frameworks are asked from, and write it as suites; nothing of theirs is ever run."""
