"""A small BERT with random weights in a folder of sentence-transformers, and what transformers says."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tokenizers

from tests import required

LONGEST = 16
WORDS = (
    *("[PAD]", "[UNK]", "[CLS]", "[SEP]", "where", "does", "finn", "live", "in", "oslo", ".", "?"),
    *("naive", "cafe", "##s", "-", "你", "好"),
)
TEXTS = ("Where does Finn live?", "", "Finn lives in Oslo. " * 9, "naïve café — 你好")


def write(folder: Path, *, labels: int | None = None) -> Path:
    """Write the model and its tokenizer; with `labels` it is a classifier of pairs with so many logits."""
    torch, transformers = _libraries()
    torch.manual_seed(3)
    config = transformers.BertConfig(
        vocab_size=len(WORDS),
        hidden_size=24,
        num_hidden_layers=2,
        num_attention_heads=3,
        intermediate_size=40,
        max_position_embeddings=64,
        num_labels=labels or 2,
    )
    kind = transformers.BertModel if labels is None else transformers.BertForSequenceClassification
    model = kind(config)
    # those that begin as 0 or 1 would hide that they are left out; wilder ones, what a text says
    for name, parameter in model.named_parameters():
        usual = 1.0 if name.endswith("LayerNorm.weight") else 0.0
        torch.nn.init.normal_(parameter, mean=usual, std=1.0 if "word_embeddings" in name else 0.25)
    model.save_pretrained(folder)
    tokenizer = tokenizers.BertWordPieceTokenizer({word: at for at, word in enumerate(WORDS)})
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "sentence_bert_config.json").write_text(f'{{"max_seq_length": {LONGEST}}}')
    return folder


def states(folder: Path, text: str) -> np.ndarray:
    """Return the last hidden states [L, H] that transformers gives the tokens of a text."""
    torch, transformers = _libraries()
    model = transformers.BertModel.from_pretrained(folder).eval()
    tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(LONGEST)
    ids = torch.tensor([tokenizer.encode(text).ids])
    with torch.no_grad():
        return np.asarray(model(ids).last_hidden_state[0])


def vector(folder: Path, text: str) -> np.ndarray:
    """Return their mean at length 1."""
    mean = states(folder, text).mean(axis=0)
    return np.asarray(mean / np.linalg.norm(mean))


def logits(folder: Path, query: str, texts: Sequence[str], *, second_type: int = 1) -> np.ndarray:
    """Return the logits [N, labels] that transformers gives pairs of `query` and each text.

    `second_type` is the type of the tokens of the text; those of the query are of the type 0.
    """
    torch, transformers = _libraries()
    model = transformers.BertForSequenceClassification.from_pretrained(folder).eval()
    tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    rows = []
    for text in texts:
        pair = tokenizer.encode(query, text)
        with torch.no_grad():
            types = second_type * torch.tensor([pair.type_ids])
            made = model(torch.tensor([pair.ids]), token_type_ids=types)
        rows.append(np.asarray(made.logits[0]))
    return np.stack(rows)


def _libraries() -> tuple[Any, Any]:
    return required.module("torch", extra="train"), required.module("transformers", extra="train")
