"""What a judge is asked, and what it replied."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from gemma_eval.records.cases import Message


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """What a scorer asks a model: turns that end with the user's.

    Of `labels` the reply is one: the most probable where the engine can tell, else by `json_schema` (JSON
    text) where it can be held to one, else whatever the text says.
    """

    messages: tuple[Message, ...]
    labels: tuple[str, ...] = ()
    json_schema: str | None = None
    max_tokens: int = 64


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """What a model replied to a question, and how it was held to its labels.

    `label_log_probabilities` (natural) has one for each label where `how` is *labels*. A reply that was not
    made has a `failure`.
    """

    text: str
    how: Literal["labels", "constrained", "text"]
    label_log_probabilities: Mapping[str, float] = field(default_factory=dict)
    failure: str | None = None
