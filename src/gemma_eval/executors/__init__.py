"""Where cells run: in this process, or spread over workers."""
