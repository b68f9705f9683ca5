"""The token that a tokenizer puts before every text, `<bos>`: once, whether the chat markup has it or not."""

from __future__ import annotations

from collections.abc import Sequence


def begun(ids: Sequence[int], added: int | None) -> tuple[int, ...]:
    """Return the ids of a prompt; it begins with the token that its tokenizer adds, `None` for none.

    Chat markup that begins with it is left as it is: a second one is what no model has seen in training. An
    empty prompt stays empty.
    """
    if added is None or not ids or ids[0] == added:
        return tuple(ids)
    return (added, *ids)
