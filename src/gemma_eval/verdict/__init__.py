"""What follows from two sides that were measured: whether one is worse, proved, or not worse, proved."""
