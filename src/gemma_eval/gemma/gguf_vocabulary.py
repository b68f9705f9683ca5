"""The tokenizer of a Hugging Face folder in the terms of GGUF: tokens, their kinds, and merges or scores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gemma_eval.errors import ModelNotFound
from gemma_eval.gemma.folder import read_json, read_optional_json

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = range(1, 7)
"""The kinds of tokens. Source: ggml-org/llama.cpp:include/llama.h, `llama_token_type`."""

END_OF_TURN = "<end_of_turn>"
SPACE = "\N{LOWER ONE EIGHTH BLOCK}"
"""What SentencePiece writes for a space."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Vocabulary:
    """What a GGUF says of its tokenizer; the lists of tokens, kinds and scores have an entry per id.

    `model` is `gpt2` for byte-level BPE, which has `merges` and a way `pre` to split text before them, and
    `llama` for SentencePiece, which has `scores`.
    """

    model: Literal["gpt2", "llama"]
    pre: str
    tokens: tuple[str, ...]
    kinds: tuple[int, ...]
    merges: tuple[str, ...] = ()
    scores: tuple[float, ...] = ()
    bos: int | None
    eos: int | None
    end_of_turn: int | None
    unknown: int | None
    padding: int | None
    add_bos: bool
    add_space_prefix: bool = False


def load(folder: Path, *, size: int) -> Vocabulary:
    """Read the tokenizer in `folder` for a model of `size` embeddings.

    Ids without a token become unused ones; tokens beyond the embeddings, as one for images, are left out.
    Raises ModelNotFound: a file absent or damaged, or a tokenizer that GGUF has no name for.
    """
    path = folder / "tokenizer.json"
    content = read_json(path)
    model = _table(content, "model", path)
    if model.get("type") != "BPE":
        raise ModelNotFound(f"{path}: a tokenizer of type {model.get('type')!r}; GGUF export knows BPE")
    added = _added(content)
    numbered = _numbered(model, added, path)
    sentencepiece = bool(model.get("byte_fallback"))
    pre = "default" if sentencepiece else _pre(content.get("pre_tokenizer"), path)
    tokens = tuple(numbered.get(index, f"[PAD{index}]") for index in range(size))
    kinds = tuple(_kinds(tokens, numbered, added, sentencepiece=sentencepiece))
    merges = tuple(_merges(model))
    if not merges:
        raise ModelNotFound(f"{path}: has no merges; llama.cpp loads no tokenizer without")
    ids = {token: index for index, token in enumerate(tokens)}
    settings = read_optional_json(folder / "tokenizer_config.json")
    config = read_json(folder / "config.json")
    return Vocabulary(
        model="llama" if sentencepiece else "gpt2",
        pre=pre,
        tokens=tuple(map(_written, tokens, kinds)) if sentencepiece else tokens,
        kinds=kinds,
        merges=() if sentencepiece else tuple(" ".join(pair) for pair in merges),
        scores=_scores(tokens, merges) if sentencepiece else (),
        bos=_special(settings, config, "bos", ids),
        eos=_special(settings, config, "eos", ids),
        end_of_turn=ids.get(END_OF_TURN),
        unknown=_special(settings, config, "unk", ids),
        padding=_special(settings, config, "pad", ids),
        add_bos=bool(settings.get("add_bos_token", sentencepiece)),
    )


def _table(content: Mapping[str, object], key: str, path: Path) -> Mapping[str, object]:
    value = content.get(key)
    if not isinstance(value, Mapping):
        raise ModelNotFound(f"{path}: {key} is missing; is it a tokenizer file?")
    return value


def _added(content: Mapping[str, object]) -> dict[int, tuple[str, bool]]:
    """Return the text of each added token, and whether it is special, by id."""
    rows = content.get("added_tokens")
    tables = [row for row in rows if isinstance(row, Mapping)] if isinstance(rows, list) else []
    return {int(row["id"]): (str(row["content"]), bool(row.get("special"))) for row in tables}


def _numbered(
    model: Mapping[str, object], added: Mapping[int, tuple[str, bool]], path: Path
) -> dict[int, str]:
    vocabulary = _table(model, "vocab", path)
    numbered = {index: token for token, index in vocabulary.items() if isinstance(index, int)}
    return {**numbered, **{index: text for index, (text, _) in added.items()}}


def _merges(model: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Yield the pairs in order; files before tokenizers 0.20 have each as one string."""
    merges = model.get("merges")
    for merge in merges if isinstance(merges, list) else ():
        first, second = merge.split(" ", 1) if isinstance(merge, str) else merge
        yield str(first), str(second)


_BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False}
_DIGITS = {"type": "Digits", "individual_digits": True}
_SPLITS: Mapping[str, Sequence[Mapping[str, object]]] = {
    "gpt-2": (_BYTE_LEVEL,),
    "smollm": (_DIGITS, _BYTE_LEVEL),
}
"""llama.cpp's names for ways to split text before the merges, as the steps of a tokenizer file."""


def _pre(step: object, path: Path) -> str:
    steps = step.get("pretokenizers", [step]) if isinstance(step, Mapping) else []
    for name, known in _SPLITS.items():
        if isinstance(steps, list) and len(steps) == len(known) and all(map(_is, steps, known)):
            return name
    raise ModelNotFound(
        f"{path}: its pre_tokenizer has no name in GGUF; export knows ByteLevel, and Digits before ByteLevel"
    )


def _is(given: object, right: Mapping[str, object]) -> bool:
    if not isinstance(given, Mapping) or given.get("use_regex", True) is not True:
        return False
    return all(given.get(key) == value for key, value in right.items())


def _kinds(
    tokens: Sequence[str],
    numbered: Mapping[int, str],
    added: Mapping[int, tuple[str, bool]],
    *,
    sentencepiece: bool,
) -> Iterator[int]:
    for index, token in enumerate(tokens):
        if index not in numbered:
            yield UNUSED
        elif sentencepiece and token == "<unk>":  # noqa: S105 - a token of text
            yield UNKNOWN
        elif index in added:
            yield CONTROL if added[index][1] else USER_DEFINED
        elif sentencepiece and _is_byte(token):
            yield BYTE
        else:
            yield NORMAL


def _written(token: str, kind: int) -> str:
    """Return how a SentencePiece token is written: those found in the text itself have its spaces."""
    return token.replace(SPACE, " ") if kind == USER_DEFINED else token


def _is_byte(token: str) -> bool:
    """Whether the token stands for a byte, as `<0x0A>`."""
    return len(token) == 6 and token.startswith("<0x") and token.endswith(">")


def _scores(tokens: Sequence[str], merges: Sequence[tuple[str, str]]) -> tuple[float, ...]:
    """Return a score per token: the earlier the merge that makes it, the higher.

    SentencePiece merges the neighbours whose joined token scores best; Hugging Face sorted the merges by it.
    """
    rank: dict[str, int] = {}
    for number, (first, second) in enumerate(merges):
        rank.setdefault(first + second, number)
    return tuple(-float(rank.get(token, 0)) for token in tokens)


def _special(
    settings: Mapping[str, object], config: Mapping[str, object], name: str, ids: Mapping[str, int]
) -> int | None:
    """Return an id that tokenizer_config.json gives as a token, or config.json as a number or a list."""
    token = settings.get(f"{name}_token")
    text = token.get("content") if isinstance(token, Mapping) else token
    if isinstance(text, str) and text in ids:
        return ids[text]
    number = config.get(f"{name}_token_id")
    first = number[0] if isinstance(number, list) and number else number
    if isinstance(first, int):
        return first
    return ids.get(f"<{name}>")
