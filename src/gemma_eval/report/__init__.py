"""What a person reads: reporters turn a finished run into files."""
