"""The tokenizer in the metadata of a GGUF file: byte-level BPE, or SentencePiece as Gemma has it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import tokenizers
from tokenizers import AddedToken, Regex, decoders, models, normalizers, pre_tokenizers

from gemma_eval.errors import ModelNotFound
from gemma_eval.gemma.gguf_header import Header, Value, shown
from gemma_eval.gemma.gguf_vocabulary import CONTROL, NORMAL, SPACE, UNKNOWN, USER_DEFINED
from gemma_eval.gemma.tokenizer import TURN_ENDS, Tokenizer


def load(path: Path, header: Header) -> Tokenizer:
    """Return the tokenizer of the model in `path`. Raises ModelNotFound: damaged, or of an unknown kind.

    Source: ggml-org/llama.cpp:src/llama-vocab.cpp.
    """
    given = _Metadata(path, header.metadata)
    kind = given.text("model")
    if kind not in _BUILD:
        raise ModelNotFound(
            f"{path}: a tokenizer of kind {shown(kind)} is not supported by numpy_gemma, "
            f"which reads {' and '.join(_BUILD)}; run it with llama.cpp"
        )
    tokens = given.texts("tokens")
    _refuse_twins(path, tokens)
    kinds = given.numbers("token_type", len(tokens), default=NORMAL)
    try:
        built = _BUILD[kind](given, tokens, kinds)
    except ModelNotFound:
        raise
    except Exception as error:  # the library raises bare Exception for a vocabulary that contradicts itself
        raise ModelNotFound(f"{path}: its tokenizer cannot be built: {shown(str(error))}") from error
    for special in (False, True):
        built.add_tokens(list(_added(tokens, kinds, special=special)))
    template = header.metadata.get("tokenizer.chat_template")
    return Tokenizer(
        built,
        chat_template=template if isinstance(template, str) else None,
        stop_ids=_stop_ids(header.metadata, built),
        added=_put_first(given, sentencepiece=kind == "llama"),
    )


class _Metadata:
    """Typed access to the keys of the tokenizer."""

    def __init__(self, path: Path, metadata: Mapping[str, Value]) -> None:
        self.path = path
        self.metadata = metadata

    def text(self, key: str, default: str | None = None) -> str:
        value = self.metadata.get(f"tokenizer.ggml.{key}", default)
        if not isinstance(value, str):
            raise ModelNotFound(f"{self.path}: tokenizer.ggml.{key} is {shown(value)}, a text is needed")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        value = self.metadata.get(f"tokenizer.ggml.{key}")
        if not isinstance(value, tuple) or not all(isinstance(entry, str) for entry in value):
            raise ModelNotFound(f"{self.path}: tokenizer.ggml.{key} is {shown(value)}, texts are needed")
        return tuple(map(str, value))

    def numbers(self, key: str, size: int, *, default: float | None = None) -> tuple[float, ...]:
        """Return a number for each of `size` tokens; all are the default when there is one and no list."""
        value = self.metadata.get(f"tokenizer.ggml.{key}")
        if value is None and default is not None:
            return (default,) * size
        if (
            not isinstance(value, tuple)
            or len(value) != size
            or not all(isinstance(x, int | float) for x in value)
        ):
            raise ModelNotFound(
                f"{self.path}: tokenizer.ggml.{key} is {shown(value)}, {size} numbers are needed"
            )
        return tuple(float(entry) for entry in value)

    def flag(self, key: str, *, default: bool) -> bool:
        return bool(self.metadata.get(f"tokenizer.ggml.{key}", default))


def _byte_level(given: _Metadata, tokens: Sequence[str], kinds: Sequence[float]) -> tokenizers.Tokenizer:
    """Return byte-level BPE; the merges are in their order."""
    pre = given.text("pre", "default")
    if pre not in _SPLITS:
        raise ModelNotFound(
            f"{given.path}: text is split in the way {shown(pre)}, which is not supported by numpy_gemma; "
            f"known: {', '.join(_SPLITS)}"
        )
    merges = [_pair(merge) for merge in given.texts("merges")]
    made = tokenizers.Tokenizer(models.BPE(vocab=_ids(tokens), merges=merges))
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [
            *(pre_tokenizers.Split(Regex(regex), "isolated") for regex in _SPLITS[pre]),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    made.decoder = decoders.ByteLevel()
    return made


def _sentencepiece(given: _Metadata, tokens: Sequence[str], kinds: Sequence[float]) -> tokenizers.Tokenizer:
    """Return SentencePiece BPE; neighbours are merged in the order of the score of what they make."""
    scores = given.numbers("scores", len(tokens))
    unknown = next((token for token, kind in zip(tokens, kinds, strict=True) if kind == UNKNOWN), None)
    made = tokenizers.Tokenizer(
        models.BPE(
            vocab=_ids(tokens),
            merges=_merges(tokens, scores),
            unk_token=unknown,
            fuse_unk=True,
            byte_fallback=True,
        )
    )
    spaced = normalizers.Replace(" ", SPACE)
    prefixed = given.flag("add_space_prefix", default=True)
    made.normalizer = normalizers.Sequence([normalizers.Prepend(SPACE), spaced]) if prefixed else spaced
    made.decoder = decoders.Sequence(
        [
            decoders.Replace(SPACE, " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            *([decoders.Strip(" ", 1, 0)] if prefixed else []),
        ]
    )
    return made


_BUILD = {"gpt2": _byte_level, "llama": _sentencepiece}

_GPT_2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)"
_SPLITS: Mapping[str, Sequence[str]] = {
    "gpt-2": (_GPT_2,),
    "smollm": (r"\p{N}", _GPT_2),
    "default": (r"[\p{P}\$\+<=>\^~\|]+", _GPT_2, r"\p{N}+", "[0-9][0-9][0-9]"),
}
"""Ways to split text before the merges: what an expression finds and what lies between are pieces."""


def _refuse_twins(path: Path, tokens: Sequence[str]) -> None:
    """Raise ModelNotFound for a text with two ids, as llama.cpp does; those without a text have no use."""
    ids: dict[str, int] = {}
    for index, token in enumerate(tokens):
        if token and ids.setdefault(token, index) != index:
            raise ModelNotFound(f"{path}: the tokens {ids[token]} and {index} are both {shown(token)}")


def _ids(tokens: Sequence[str]) -> dict[str, int]:
    """Return the id of each token."""
    return {token: index for index, token in enumerate(tokens)}


def _pair(merge: str) -> tuple[str, str]:
    """Split a merge at its space, which is not the first character."""
    at = merge.find(" ", 1)
    return merge[:at], merge[at + 1 :]


def _merges(tokens: Sequence[str], scores: Sequence[float]) -> list[tuple[str, str]]:
    """Return every pair of tokens that makes a token, the best-scored token first."""
    known = set(tokens)
    best_first = sorted(range(len(tokens)), key=lambda index: -scores[index])
    return [
        (token[:cut], token[cut:])
        for token in (tokens[index] for index in best_first)
        for cut in range(1, len(token))
        if token[:cut] in known and token[cut:] in known
    ]


def _added(tokens: Sequence[str], kinds: Sequence[float], *, special: bool) -> Iterator[AddedToken]:
    """Yield the tokens that are found in the text before anything else is done with it."""
    wanted = (CONTROL, UNKNOWN) if special else (USER_DEFINED,)
    for token, kind in zip(tokens, kinds, strict=True):
        if kind in wanted and token:
            yield AddedToken(token, special=special, normalized=False)


def _put_first(given: _Metadata, *, sentencepiece: bool) -> int | None:
    """Return the token that the file has put before a text; where it is silent SentencePiece has one put."""
    bos = given.metadata.get("tokenizer.ggml.bos_token_id")
    wanted = given.flag("add_bos_token", default=sentencepiece)
    return bos if wanted and isinstance(bos, int) else None


def _stop_ids(metadata: Mapping[str, Value], tokenizer: tokenizers.Tokenizer) -> frozenset[int]:
    """Return what the file calls the end of an answer, a turn or a message, and Gemma's own end tokens."""
    named = (metadata.get(f"tokenizer.ggml.{name}_token_id") for name in ("eos", "eot", "eom"))
    known = (tokenizer.token_to_id(token) for token in TURN_ENDS)
    return frozenset(token for token in (*named, *known) if isinstance(token, int))
