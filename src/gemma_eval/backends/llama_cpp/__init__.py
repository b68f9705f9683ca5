"""llama.cpp in this process: a GGUF file, how it is started, and the reply as it streams."""
