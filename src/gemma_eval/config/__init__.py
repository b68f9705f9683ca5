"""What is chosen: models, sampling profiles and prompt templates, by name."""
