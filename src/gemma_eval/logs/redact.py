"""Takes secrets out of texts that are shown, stored or sent: the keys of this process, and what looks so.

A message is cleared of all of them. An answer of a model is what was measured, so that only the very keys
that its model was asked with are taken out of it.
"""

from __future__ import annotations

import json
import os
import re
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock
from urllib.parse import quote

from gemma_eval.logs.secrets import SHAPES

HIDDEN = "<hidden>"
"""What stands where a secret was."""

LEAST = 8
"""The letters of the shortest value that is taken out: a shorter one is in too many words."""

_NAMED = re.compile(r"(?:^|_)(?:API_?KEY|TOKEN|SECRET|PASSWORD|PASSWD|(?:SECRET|ACCESS|PRIVATE)_KEY)$")
"""Names of environment variables that hold a secret."""

_BY_PREFIX = tuple((shape.prefix, shape) for shape in SHAPES)
"""Most texts have none of these, and nothing is called for them."""

_WORDS = re.compile(r"(?:[a-z]+|[A-Z]+|[A-Z][a-z]+)(?:[-_.](?:[a-z]+|[A-Z]+|[A-Z][a-z]+))*")
_LONGEST_WORD = 24


@dataclass(frozen=True, slots=True)
class Redactor:
    """Takes out `keys`, which models are asked with, and from messages other `values` and shapes of keys.

    Of a text without any of them the same object comes back. A text that was cleared is not changed again.
    """

    keys: frozenset[str] = frozenset()
    values: frozenset[str] = frozenset()
    _of_keys: tuple[str, ...] = field(init=False, repr=False, compare=False)
    _of_all: tuple[str, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Make the forms in which the values may come."""
        drawn = (key for key in self.keys if len(key) > _LONGEST_WORD or not _WORDS.fullmatch(key))
        object.__setattr__(self, "_of_keys", _forms(drawn))
        object.__setattr__(self, "_of_all", _forms(self.keys | self.values))

    def __call__(self, text: str) -> str:
        """Return a message without secrets."""
        text = _without(text, self._of_all)
        for prefix, shape in _BY_PREFIX:
            if prefix in text:
                text = shape.without(text, HIDDEN)
        return text

    def answer(self, text: str) -> str:
        """Return what a model said, or a file with it, without the keys that models were asked with.

        One of plain words stays, as "lm-studio" or "not-needed", which servers without keys are given: it is
        no secret, and models say such words.
        """
        return _without(text, self._of_keys)

    def pieces(self, texts: Sequence[str]) -> list[str]:
        """Return the pieces of an answer; what stands for a key is in the piece where that begins."""
        whole = "".join(texts)
        if self.answer(whole) == whole:
            return list(texts)
        kept = _marked(whole, self._of_keys)
        found, at = [], 0
        for text in texts:
            found.append("".join(kept[at : at + len(text)]))
            at += len(text)
        return found

    def __repr__(self) -> str:
        """Show nothing of what is hidden."""
        return f"Redactor({len(self.keys)} keys, {len(self.values)} values)"


def of_environment(environment: Mapping[str, str]) -> Redactor:
    """Return a redactor of what the variables hold whose names say that it is secret."""
    named = (value for name, value in environment.items() if _NAMED.search(name.upper()))
    return Redactor(values=frozenset(value.strip() for value in named if len(value.strip()) >= LEAST))


def current() -> Redactor:
    """Return the redactor of this process, of the environment that it had when this was first asked for."""
    known = _known.redactor
    if known is None:
        known = _known.redactor = of_environment(os.environ)
    return known


def hide(key: str) -> None:
    """Have a key that a model is asked with taken out of everything from now on, also out of answers."""
    with _known.lock:
        before = current()
        if len(key) >= LEAST and key not in before.keys:
            _known.redactor = Redactor(keys=before.keys | {key}, values=before.values)


def clear(text: str) -> str:
    """Return a message without the secrets of this process."""
    return current()(text)


@dataclass(slots=True)
class _Known:
    """What this process has learnt of its secrets."""

    redactor: Redactor | None = None
    lock: Lock = field(default_factory=Lock)


_known = _Known()
_NOTHING = "\0"
"""Is in no key."""


def _without(text: str, forms: Iterable[str]) -> str:
    found = [form for form in forms if form in text]
    return "".join(_marked(text, found)) if found else text


def _marked(text: str, forms: Iterable[str]) -> list[str]:
    """Return the letters of a text; of a form the first is what stands for it, and the others are nothing."""
    letters = list(text)
    for form in forms:
        at = text.find(form)
        while at >= 0:
            letters[at : at + len(form)] = [HIDDEN, *[""] * (len(form) - 1)]
            text = f"{text[:at]}{_NOTHING * len(form)}{text[at + len(form) :]}"
            at = text.find(form, at + len(form))
    return letters


def _forms(values: Iterable[str]) -> tuple[str, ...]:
    """Return each value as it is and as URLs, JSON and base64 have it; the longest first."""
    found: set[str] = set()
    for value in values:
        encoded = b64encode(value.encode(errors="surrogateescape")).decode()
        quoted = quote(value, safe="", errors="surrogateescape")
        found |= {value, quoted, json.dumps(value)[1:-1], encoded, encoded.rstrip("=")}
    return tuple(sorted(found, key=lambda form: (-len(form), form)))
