"""llama.cpp in this process: a GGUF file, the request and its settings, and the reply as it streams."""
