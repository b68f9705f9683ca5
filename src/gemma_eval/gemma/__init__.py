"""Gemma 2 and Gemma 3 in NumPy, to be read in this order.

    architecture   the sizes and constants of a model, from its config.json
    tensors        tensors of safetensors files as float32
    weights        the tensors under the names the computation uses, fused where one product does for two
    tokenizer      text to ids, and a stream of ids to text
    rope_config    the rotary positions that a config names
    rope_scaling   how fast each pair turns, under every type of scaling
    rope           rotary positions
    attention      grouped-query attention with a window and a softcap
    kv_cache       the keys and values of a text read so far
    tails          what several answers to one prompt remember
    products       products with a weight matrix, each row the same in any company
    layer          attention and feed-forward, each between two norms
    transformer    the layers, from ids to logits
    decode         prefill and decode: the state of a prompt and its answers

Shapes in docstrings: L tokens read at once, T keys they may see, V vocabulary, D hidden size,
F feed-forward size, B answers, N query heads, K key/value heads, G = N / K, H size of a head.
"""
