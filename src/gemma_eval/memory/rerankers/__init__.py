"""What puts passages in a better order than a search: vectors of tokens, an engine; and a check of both."""
