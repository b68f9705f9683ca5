"""The deltas of an answer from the pieces that a server streamed: whole characters, and how many tokens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from gemma_eval.records import Channel, Delta


@dataclass(frozen=True, kw_only=True, slots=True)
class Piece:
    """What one event added to an answer: texts by channel, and how many tokens there were by then.

    `ends` is true of the one that told why the answer ended.
    """

    parts: tuple[tuple[Channel, str], ...]
    at_ns: int
    count: int | None = None
    ends: bool = False


def deltas(pieces: Sequence[Piece], *, total: int | None) -> tuple[Delta, ...]:
    """Return the deltas, `n_tokens` being `None` unless each can be known; `total` counts all tokens.

    A character that is divided between two pieces, each with half of a surrogate pair, comes with the second.
    A piece with texts of several channels shares its tokens among them.
    """
    found: list[Delta] = []
    for piece, tokens in zip(pieces, tokens_of(pieces, total=total), strict=True):
        parts = piece.parts or (("output", ""),)
        for (channel, text), share in zip(parts, _shares(tokens, len(parts)), strict=True):
            found.append(Delta(text=text, n_tokens=share, at_ns=piece.at_ns, channel=channel))
    return tuple(_mended(_without_first_newline(found)))


def tokens_of(pieces: Sequence[Piece], *, total: int | None) -> tuple[int | None, ...]:
    """Return the tokens of each piece: differences of the server's counts, when it counted at each text.

    The piece that ends an answer carries what is left of `total`: the token that ended a turn, or those that
    only spell a stop string. Counts that go back, do not add up, or leave all texts without a token are none.
    """
    counted, before = [], 0
    for piece in pieces:
        count = piece.count
        if count is None:
            if piece.parts:
                return _unknown(pieces)
            count = total if piece.ends and total is not None else before
        counted.append(count - before)
        before = count
    left = 0 if total is None else total - before
    in_texts = [tokens for piece, tokens in zip(pieces, counted, strict=True) if piece.parts]
    is_sound = min(counted, default=0) >= 0 and left in (0, 1) and (any(in_texts) or not in_texts)
    return tuple(counted) if is_sound else _unknown(pieces)


def _unknown(pieces: Sequence[Piece]) -> tuple[int | None, ...]:
    return tuple(None if piece.parts else 0 for piece in pieces)


def _shares(tokens: int | None, parts: int) -> tuple[int | None, ...]:
    """Return `tokens` divided as evenly as may be, the first parts having one more."""
    if tokens is None:
        return (None,) * parts
    each, more = divmod(tokens, parts)
    return tuple(each + (index < more) for index in range(parts))


def _without_first_newline(found: Sequence[Delta]) -> Iterator[Delta]:
    """Yield the deltas; the name of a call begins a line, but for the first."""
    is_first = True
    for delta in found:
        is_call = delta.channel == "tool_call"
        yield replace(delta, text=delta.text.removeprefix("\n")) if is_call and is_first else delta
        is_first = is_first and not is_call


def _mended(found: Iterator[Delta]) -> list[Delta]:
    """Return the deltas with whole characters; half of one that never comes whole is replaced."""
    mended: list[Delta] = []
    halves: dict[Channel, tuple[str, int]] = {}
    for index, delta in enumerate(found):
        text = delta.text
        if text and delta.channel in halves:
            text = halves.pop(delta.channel)[0] + text
        if text and "\ud800" <= text[-1] <= "\udbff":
            halves[delta.channel] = (text[-1], index)
            text = text[:-1]
        mended.append(replace(delta, text=_characters(text)))
    for _, index in halves.values():
        mended[index] = replace(mended[index], text=f"{mended[index].text}\N{REPLACEMENT CHARACTER}")
    return mended


def _characters(text: str) -> str:
    """Return `text` with surrogate pairs as the characters that they are."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
