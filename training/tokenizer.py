"""The pocket model's byte-level BPE: every word of the world is one token, after a space or not."""

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

SPECIALS = ("<pad>", "<eos>", "<bos>", "<unk>", "<start_of_turn>", "<end_of_turn>")
PAD, EOS, BOS, UNK, START_OF_TURN, END_OF_TURN = range(len(SPECIALS))
VOCAB_LIMIT = 2048
SPACE = "Ġ"


def build(words: Iterable[str]) -> Tokenizer:
    """Return a tokenizer in which each of `words` (and of its twins with a leading space) is one token.

    Merges are learned on the bare words until each is whole; the merges that prepend the space come last,
    so that a spaced word is the bare word plus one merge: the twins stay aligned, no rank competes.
    """
    ordered = sorted({piece for word in words for piece in _pieces(word)})
    learned = Tokenizer(models.BPE())
    learned.pre_tokenizer = _pre_tokenizer()
    trainer = trainers.BpeTrainer(
        vocab_size=100_000,
        min_frequency=1,
        show_progress=False,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
    )
    learned.train_from_iterator(ordered, trainer)
    merges = _model_merges(learned)
    encoded = [_byte_text(word) for word in ordered]
    merges += [(SPACE, text) for text in encoded]
    tokens = [*SPECIALS, *sorted(pre_tokenizers.ByteLevel.alphabet())]
    seen = set(tokens)
    for left, right in merges:
        if left + right not in seen:
            seen.add(left + right)
            tokens.append(left + right)
    if len(tokens) > VOCAB_LIMIT:
        raise ValueError(
            f"the vocabulary has {len(tokens)} tokens; at most {VOCAB_LIMIT} are allowed: drop words"
        )
    tokenizer = Tokenizer(models.BPE(vocab={text: i for i, text in enumerate(tokens)}, merges=merges))
    tokenizer.pre_tokenizer = _pre_tokenizer()
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in SPECIALS])
    return tokenizer


def twins(tokenizer: Tokenizer) -> tuple[list[int], list[bool]]:
    """Return, for each id, the id of its twin without a leading space (or its own) and whether it has one."""
    vocab = tokenizer.get_vocab()
    roots, spaced = list(range(len(vocab))), [False] * len(vocab)
    for text, index in vocab.items():
        bare = vocab.get(text[1:]) if text.startswith(SPACE) and len(text) > 1 else None
        if bare is not None:
            roots[index], spaced[index] = bare, True
    return roots, spaced


def load(path: Path) -> Tokenizer:
    """Read a tokenizer.json."""
    return Tokenizer.from_file(str(path))


def _pre_tokenizer() -> pre_tokenizers.PreTokenizer:
    return pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )


def _pieces(word: str) -> Sequence[str]:
    return re.findall(r"[^\W\d_]+|[^\w\s]+", word)


def _byte_text(word: str) -> str:
    return "".join(
        text for text, _ in pre_tokenizers.ByteLevel(add_prefix_space=False).pre_tokenize_str(word)
    )


def _model_merges(tokenizer: Tokenizer) -> list[tuple[str, str]]:
    return [(left, right) for left, right in json.loads(tokenizer.to_str())["model"]["merges"]]
