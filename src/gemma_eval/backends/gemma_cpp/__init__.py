"""The `gemma` binary of gemma.cpp as a child process: its command line, and what it says."""
