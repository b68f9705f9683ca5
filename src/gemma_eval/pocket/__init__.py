"""The model that ships: a Gemma 3 of 1.4 M parameters in the files of Hugging Face, made by training/."""
