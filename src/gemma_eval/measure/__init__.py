"""What a generation cost: time, memory and the machine it ran on."""
