"""What a model reads: templates, chat markup and the passages that fit."""
