"""Any OpenAI-compatible server, measured over HTTP: reads that are stamped, and parsed when all has come."""
