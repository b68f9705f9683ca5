"""Where a prompt ends and what is read after it begins, in tokens."""

from __future__ import annotations

from collections.abc import Callable, Sequence

Encode = Callable[[str], Sequence[int]]
"""Returns the ids of a text, none added."""


def divided(prompt: str, continuation: str, *, encode: Encode) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the ids of a prompt and those of a continuation: the ids of both together without the former.

    Spaces at the end of the prompt go to the continuation, for a word's token begins with its space. The
    prompt's ids depend on nothing else, so continuations of one prompt share them. Where a token would span
    the seam all the same, the continuation is tokenised by itself, as an answer would follow the prompt.
    Source: EleutherAI/lm-evaluation-harness:lm_eval/api/model.py, `TemplateLM._encode_pair`.
    """
    head = prompt.rstrip(" ") or prompt
    tail = prompt[len(head) :] + continuation
    before, whole = tuple(encode(head)), tuple(encode(head + tail))
    if whole[: len(before)] == before:
        return before, whole[len(before) :]
    return before, tuple(encode(tail))
