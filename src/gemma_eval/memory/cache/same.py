"""Ask the model itself whether two questions are one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable

from gemma_eval.records import Message, Question, Reply

Ask = Callable[[Question], Reply]
"""Has the model under test reply to a question."""
LABELS = ("yes", "no")


def question(first: str, second: str) -> Question:
    """Return what the model is asked; its reply is held to yes or no as firmly as the engine can."""
    text = (
        "Would one and the same answer be right for both of these questions?\n"
        f"1. {first}\n2. {second}\n"
        "Numbers, names, times, negations and the order of things must agree. Answer yes or no."
    )
    schema = json.dumps({"type": "string", "enum": list(LABELS)})
    return Question(
        messages=(Message(role="user", content=text),), labels=LABELS, json_schema=schema, max_tokens=4
    )


def is_same(reply: Reply) -> bool | None:
    """Return what a reply says, `None` when nothing was replied; whatever is no clear yes is a no."""
    if reply.failure is not None:
        return None
    said = reply.text.strip().strip('"').casefold()
    return said == "yes" or said.startswith(("yes,", "yes."))


def verdict_key(partition: str, first: str, second: str) -> str:
    """Return what the verdict on two questions is kept under, in whichever order they come."""
    return hashlib.sha256(json.dumps([partition, *sorted((first, second))]).encode()).hexdigest()
