"""The model that ships with the package: a Gemma 3 of 1.4 M parameters in Hugging Face's files, made by training/."""
