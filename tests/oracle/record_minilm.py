"""Records the vectors that `transformers` makes with all-MiniLM-L6-v2, so that the oracle needs no torch.

    python tests/oracle/record_minilm.py

recorded/minilm.safetensors has texts, and of each the mean of its last hidden states at length 1, [N, 384].
Needs `make minilm` and `pip install "gemma_eval[train]"`.
"""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save_file

from gemma_eval.backends.model_files import locate

transformers = import_module("transformers")  # not a typed package

TARGET = Path(__file__).parent / "recorded" / "minilm.safetensors"
TEXTS = (
    *("The weather is lovely today.", "It's so sunny outside!", "He drove to the stadium."),
    *("", "Where does Finn live?", "Finn moved to Oslo in the spring, and has lived there since."),
    *("naïve café — 你好, Привет 👩🏽‍🚀", "def f(x): return {'a': [x, 1e-5]}  # braces"),
    "A long text is cut off where the model has seen no longer ones. " * 30,
)
LONGEST = 256


def main() -> None:
    """Record."""
    folder = locate("@minilm")
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.BertModel.from_pretrained(folder).eval()
    rows = []
    for text in TEXTS:
        with torch.no_grad():
            given = tokenizer(text, truncation=True, max_length=LONGEST, return_tensors="pt")
            mean = model(**given).last_hidden_state[0].mean(dim=0)
        rows.append(np.asarray(mean / mean.norm()))
    versions = f"transformers {transformers.__version__}, torch {torch.__version__}"
    save_file({"vectors": np.stack(rows)}, TARGET, {"texts": json.dumps(TEXTS), "by": versions})


if __name__ == "__main__":
    main()
