"""How a token is chosen: a chain of transforms in llama.cpp's meanings, and a seeded draw at its end."""
