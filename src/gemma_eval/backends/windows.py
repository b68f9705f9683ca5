"""How a text longer than the context is read from its beginning: in pieces, each token once."""

from __future__ import annotations

from collections.abc import Iterator

Ids = tuple[int, ...]


def windows(tokens: Ids, *, beginning: int, most_tokens: int | None) -> Iterator[tuple[Ids, Ids]]:
    """Yield pieces of `tokens`, each with what it is read after, together at most `most_tokens`.

    The first piece follows `beginning`, each other the one token before it, and the last as many as there is
    room for. Without a bound there is one piece.
    Source: EleutherAI/lm-evaluation-harness:lm_eval/utils.py, `get_rolling_token_windows` with a context of 1
    and `max_seq_len` of `most_tokens` - 1, then `make_disjoint_window`; version 0.4.13.
    """
    size = len(tokens) if most_tokens is None else max(1, most_tokens - 1)
    yield (beginning,), tokens[:size]
    for start in range(size, len(tokens), size):
        end = min(start + size, len(tokens))
        yield tokens[end - size - 1 : start], tokens[start:end]
