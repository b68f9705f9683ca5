"""A recorded run is held against its base: which one that is, and what becomes of the gates in force."""
