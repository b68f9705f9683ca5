"""The names that promptfoo has for assertions, as scorers and options of this package.

Source: promptfoo.dev/docs/configuration/expected-outputs, as read in 2026.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from gemma_eval.records import Option, Options


@dataclass(frozen=True, kw_only=True, slots=True)
class Alias:
    """A scorer under another name.

    `value` and `threshold` are the options that the assertion's keys of these names become; a threshold that
    becomes none is a check's `pass_at`, which is `pass_at` where the assertion gives none. What becomes
    `scale`d is divided by it.
    """

    scorer: str
    value: str | None = None
    threshold: str | None = None
    pass_at: float = 1.0
    scale: int = 1
    fixed: Options = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Translation:
    """An assertion as a check has it."""

    scorer: str
    options: Options
    pass_at: float
    negated: bool


def translated(kind: str, *, value: object = None, threshold: float | None = None) -> Translation | None:
    """Return the assertion `kind` as a check, `None` when no scorer is like it; `not-` turns it round."""
    name = kind.removeprefix("not-")
    alias = ALIASES.get(name)
    if alias is None:
        return None
    if name == "equals" and isinstance(value, Mapping | list):
        alias = Alias(scorer="json_equals", value="value")
    options: dict[str, Option] = dict(alias.fixed)
    if isinstance(value, Mapping) and name == "word-count":
        options = {new: value[old] for old, new in (("min", "least"), ("max", "most")) if old in value}
    elif name == "word-count" and isinstance(value, int):
        options = {"least": value, "most": value}
    elif alias.value is not None and value is not None:
        options[alias.value] = _option(value, as_json=alias.value in ("schema", "value"))
    pass_at = alias.pass_at
    if threshold is not None and alias.threshold is not None:
        options[alias.threshold] = threshold / alias.scale if alias.scale > 1 else threshold
    elif threshold is not None:
        pass_at = threshold
    return Translation(scorer=alias.scorer, options=options, pass_at=pass_at, negated=kind != name)


ALIASES: Mapping[str, Alias] = {
    "equals": Alias(scorer="equals", value="text"),
    "contains": Alias(scorer="contains", value="text"),
    "contains-any": Alias(scorer="contains", value="any"),
    "contains-all": Alias(scorer="contains", value="all"),
    "icontains": Alias(scorer="icontains", value="text"),
    "icontains-any": Alias(scorer="icontains", value="any"),
    "icontains-all": Alias(scorer="icontains", value="all"),
    "starts-with": Alias(scorer="starts_with", value="text"),
    "regex": Alias(scorer="regex", value="pattern"),
    "is-json": Alias(scorer="json_schema", value="schema"),
    "contains-json": Alias(scorer="contains_json", value="schema"),
    "levenshtein": Alias(
        scorer="levenshtein", value="text", threshold="max_distance", fixed={"max_distance": 5}
    ),
    "rouge-n": Alias(scorer="rouge1", value="reference", pass_at=0.75),
    "bleu": Alias(scorer="bleu", value="reference", pass_at=0.5),
    "latency": Alias(scorer="latency", threshold="max_s", scale=1000),
    "word-count": Alias(scorer="word_count"),
}
"""promptfoo gives times in milliseconds; its ROUGE and BLEU may differ in how words are split."""


def _option(value: object, *, as_json: bool) -> Option:
    """Return a value as an option: a list as texts, what else is no text as JSON."""
    if isinstance(value, list | tuple) and not as_json:
        return tuple(item if isinstance(item, str) else json.dumps(item) for item in value)
    return value if isinstance(value, str) else json.dumps(value)
