"""How good an answer was: scorers that need no model."""
