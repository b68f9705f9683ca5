"""The pytest11 entry module: standard library only, costs nothing to who does not use it."""
