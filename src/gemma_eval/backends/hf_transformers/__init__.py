"""A folder of Hugging Face in PyTorch, through transformers: loading it, and its logits token by token."""
