"""Which of its labels a judge's reply gives, and how sure it was; prose gives none, and says so.

Free text binds to the last grade in it: an answer that is quoted before may hold a grade of its own.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gemma_eval.records import Reply
from gemma_eval.scoring.findings import quoted

KEY = "verdict"
"""The key of the label in a reply that is held to JSON."""

_GRADE = re.compile(
    r"(?:^|[\s*_\"'`({\[])(?:grade|verdict|rating|score|judge?ment)[*_\"'`]{0,3}"
    r"[ ]{0,3}[:=][ ]{0,3}(?P<said>[^\n]*)",
    re.IGNORECASE,
)
_GOES_ON = re.compile(r"\w|[.,-]\w|/[^\W\d]|\s*(?:or|and)\b")
"""What after a label makes another word, another number or several labels of it."""
_SENTENCE = re.compile(r"[*_`\"')\s]*(?:\?|\s(?!(?:because|since|as|for)\b)[^\W\d_])")
"""What after a label that is a word makes it part of a sentence, which may deny it, or a question."""
_ROUNDING = 1e-6
_AROUND = " \t*_`\"'.,;:!()[]{}<>"


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """The label that a judge gave, or the `reason` why it gave none.

    `probabilities` are those of the labels among themselves; `mass` is how probable the judge found it to
    reply with any of them. Both are `None` where the engine does not tell.
    """

    label: str | None = None
    reason: str | None = None
    probabilities: Mapping[str, float] | None = None
    mass: float | None = None


def schema(labels: Sequence[str]) -> str:
    """Return the JSON Schema that holds a reply to one of the labels."""
    verdict = {"type": "string", "enum": list(labels)}
    shape = {"type": "object", "properties": {KEY: verdict}, "required": [KEY], "additionalProperties": False}
    return json.dumps(shape)


def told_apart(labels: Sequence[str]) -> bool:
    """Whether the probabilities of labels mean what they say: none is the beginning of another."""
    return not any(one != other and other.startswith(one) for one in labels for other in labels)


def read(reply: Reply, labels: Sequence[str]) -> Verdict:
    """Return the verdict of a reply to a question with these labels."""
    if reply.failure is not None:
        return Verdict(reason=reply.failure)
    if reply.how == "labels":
        return _most_probable(reply.label_log_probabilities, labels)
    return _written(reply.text, labels)


def _most_probable(logarithms: Mapping[str, float], labels: Sequence[str]) -> Verdict:
    known = [logarithms.get(label, math.nan) for label in labels]
    if any(math.isnan(each) or each > _ROUNDING for each in known) or max(known) == -math.inf:
        return Verdict(reason="the engine gave no log-probability for a label")
    top = max(known)
    weights = [math.exp(each - top) for each in known]
    total = math.fsum(weights)
    shares = {label: weight / total for label, weight in zip(labels, weights, strict=True)}
    mass = min(1.0, math.exp(top) * total)
    return Verdict(label=labels[known.index(top)], probabilities=shares, mass=mass)


def _written(text: str, labels: Sequence[str]) -> Verdict:
    """Read JSON, a reply that is nothing but a label, the last grade, or a last line that is a label."""
    said = _of_json(text)
    if said is not None:
        return _of(said, labels, whole=True)
    if (label := _label(text, labels, whole=True)) is not None:
        return Verdict(label=label)
    grades = [match["said"] for match in _GRADE.finditer(text)]
    if grades:
        return _of(grades[-1], labels, whole=False)
    lines = [line for line in text.splitlines() if line.strip()]
    if lines and (label := _label(lines[-1], labels, whole=True)) is not None:
        return Verdict(label=label)
    if not lines:
        return Verdict(reason="the judge said nothing")
    return Verdict(reason=f"the judge gave no verdict: {quoted(' '.join(text.split()))}")


def _of(said: str, labels: Sequence[str], *, whole: bool) -> Verdict:
    label = _label(said, labels, whole=whole)
    if label is not None:
        return Verdict(label=label)
    return Verdict(reason=f"the verdict {quoted(said.strip())} is none of {quoted(*labels)}")


def _of_json(text: str) -> str | None:
    """Return the verdict of a reply that is a JSON object, `None` when it is something else."""
    bare = text.strip().removeprefix("```json").removeprefix("```").removesuffix("```")
    try:
        value = json.loads(bare)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict) or KEY not in value:
        return None
    said = value[KEY]
    return said if isinstance(said, str) else json.dumps(said)


def _label(said: str, labels: Sequence[str], *, whole: bool) -> str | None:
    """Return the label that `said` is, or that it begins with: the longest, where a word ends."""
    bare = said.strip(_AROUND).casefold()
    for label in sorted(labels, key=len, reverse=True):
        wanted = label.casefold()
        if bare == wanted:
            return label
        if not whole and bare.startswith(wanted):
            rest = bare[len(wanted) :]
            if not _GOES_ON.match(rest) and not (_is_word(label) and _may_be_denied(rest, labels, label)):
                return label
    return None


def _may_be_denied(rest: str, labels: Sequence[str], label: str) -> bool:
    """Whether a sentence goes on after a label, or another label comes after it."""
    others = (re.escape(other.casefold()) for other in labels if other != label and _is_word(other))
    return bool(_SENTENCE.match(rest)) or any(re.search(rf"(?<!\w){other}(?!\w)", rest) for other in others)


def _is_word(label: str) -> bool:
    return sum(map(str.isalpha, label)) > 1
