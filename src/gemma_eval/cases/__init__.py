"""What is asked: suite files, read into cases and spread into cells and trials."""
