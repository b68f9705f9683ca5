"""What is written while things run: events as lines of JSON, and no secret in anything that is written."""
