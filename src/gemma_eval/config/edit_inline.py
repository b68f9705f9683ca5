"""Edit an inline table of TOML, as `{ threads = 2 }`: its other pairs keep their bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gemma_eval.config.toml_sections import key_of
from gemma_eval.files.tokens import Token, toml_tokens


def put(text: str, key: str, literal: str) -> str:
    """Return an inline table with a pair: in the place of the one with that key, else at the end."""
    pairs = _pairs(text)
    for pair in pairs:
        if pair.key == key:
            return text[: pair.value] + literal + text[pair.end :]
    if not pairs:
        return f"{{ {written(key)} = {literal} }}"
    end = pairs[-1].end
    return f"{text[:end]}, {written(key)} = {literal}{text[end:]}"


def drop(text: str, key: str) -> str:
    """Return an inline table without the pair of a key."""
    pairs = _pairs(text)
    index = next(number for number, pair in enumerate(pairs) if pair.key == key)
    if index:
        return text[: pairs[index - 1].end] + text[pairs[index].end :]
    if len(pairs) > 1:
        return text[: pairs[0].begin] + text[pairs[1].begin :]
    return "{}"


def literal(value: object) -> str:
    """Return a plain value as TOML on one line."""
    import tomlkit

    if not isinstance(value, Mapping):
        return tomlkit.item(value).as_string()
    pairs = ", ".join(f"{written(key)} = {literal(part)}" for key, part in value.items())
    return f"{{ {pairs} }}" if pairs else "{}"


def written(key: str) -> str:
    """Return a key as TOML has it, in quotes where it needs them."""
    bare = key and all(letter.isascii() and (letter.isalnum() or letter in "-_") for letter in key)
    return key if bare else literal(key)


@dataclass(frozen=True, slots=True)
class _Pair:
    """Where a pair is: its key, its value, and the end of that."""

    key: str
    begin: int
    value: int
    end: int


def _pairs(text: str) -> tuple[_Pair, ...]:
    """Return the pairs of a table. Raises ValueError for a dotted key, which is more than one table."""
    tokens = [token for token in toml_tokens(text) if token.kind != "newline"]
    found: list[_Pair] = []
    pair: list[Token] = []
    depth = 0
    for token in tokens[1:]:
        if depth == 0 and token.text in (",", "}"):
            if pair:
                found.append(_pair(pair))
            pair = []
            continue
        if token.kind == "mark":
            depth += (token.text in "[{") - (token.text in "]}")
        pair.append(token)
    return tuple(found)


def _pair(tokens: list[Token]) -> _Pair:
    if tokens[1].text != "=":
        raise ValueError("a dotted key")
    return _Pair(key_of(tokens[0].text), tokens[0].start, tokens[2].start, tokens[-1].end)
