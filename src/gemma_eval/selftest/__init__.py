"""What measuring itself costs on this machine, and how far its times are off: known answers, measured."""
