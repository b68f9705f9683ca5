"""What a model is given to know: the passages of documents, and search among them."""
