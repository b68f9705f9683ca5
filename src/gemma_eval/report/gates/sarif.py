"""The gates as SARIF 2.1.0, which code hosts show beside the lines of the file that the gates are written in.

Source: OASIS, Static Analysis Results Interchange Format (SARIF) 2.1.0 plus errata 01. No result has a
`baselineState`: a result that has one promises (§3.27.24) that the results of both runs were compared, all of
them, and the base of a gate is what was measured then, not what became of its gates.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from urllib.parse import quote
from uuid import NAMESPACE_URL, uuid5

from gemma_eval import __version__
from gemma_eval.records import Gated, Gating
from gemma_eval.report.gates.words import (
    WORDS,
    account,
    allowed,
    gate_of,
    group_of,
    level,
    metric_of,
    one_line,
    worst_first,
)
from gemma_eval.wire import Plain

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
MOST_RESULTS = 5_000
"""Code hosts take no more results of a run."""
MOST_TEXT, MOST_HELP = 1_000, 4_000
"""Longer messages are cut."""

_TIERS = {"critical": "error", "supporting": "warning", "advisory": "note"}
# Brackets would make links of a text (§3.11.6), braces places for arguments (§3.11.5).
_BRACKETS = str.maketrans("[]{}", "()()")


def sarif(gating: Gating) -> str:
    """Return a SARIF log of one run: a rule for each gate, a result for each that is not a PASS.

    A result stands at the line of the gate where that was written. One that a person has accepted is
    suppressed. Beyond 5,000 results the best are left out, and `leftOut` counts them.
    """
    told = [each for each in worst_first(gating.gated) if level(each) is not None]
    first: dict[str, Gated] = {}
    for each in gating.gated:
        first.setdefault(gate_of(each), each)
    places = {name: place for place, name in enumerate(first)}
    run: dict[str, Plain] = {
        "tool": {
            "driver": {
                "name": "gemma_eval",
                "version": __version__,
                "rules": [_rule(name, each) for name, each in first.items()],
            }
        },
        "automationDetails": {
            "id": f"gemma_eval/{one_line(gating.candidate)}",
            "guid": str(uuid5(NAMESPACE_URL, f"gemma_eval:{_whole(gating.candidate)}")),
        },
        "results": [_result(each, places[gate_of(each)]) for each in told[:MOST_RESULTS]],
        "properties": {"leftOut": max(len(told) - MOST_RESULTS, 0)},
    }
    return (
        json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=1, allow_nan=False) + "\n"
    )


def _rule(name: str, gated: Gated) -> Plain:
    what = f"{metric_of(gated.gate)}: {allowed(gated)} is allowed"
    help_text = " ".join(f"{verdict}: {words.sentence}" for verdict, words in WORDS.items())
    return {
        "id": name,
        "shortDescription": _message(what),
        "fullDescription": _message(f"{what}. The gate is {gated.gate.tier}."),
        "help": _message(help_text, most=MOST_HELP),
        "defaultConfiguration": {"level": _TIERS[gated.gate.tier]},
    }


def _result(gated: Gated, rule: int) -> Plain:
    each = gated.comparison
    return {
        "ruleId": gate_of(gated),
        "ruleIndex": rule,
        "level": level(gated),
        "message": _message(account(gated)),
        "locations": _locations(gated),
        "partialFingerprints": {"gemmaEvalGate/v1": sha256(_whole(gated.id).encode()).hexdigest()},
        "suppressions": _suppressions(gated),
        "properties": {
            "verdict": each.verdict,
            "group": group_of(gated),
            "base": each.base,
            "candidate": each.candidate,
            "difference": each.difference,
            "low": each.low,
            "high": each.high,
            "margin": each.margin,
        },
    }


def _locations(gated: Gated) -> Sequence[Plain]:
    source = gated.gate.source
    if source is None:
        return []
    uri = quote(_whole(source.path).replace("\\", "/"))
    place: Mapping[str, Plain] = {
        "artifactLocation": {"uri": uri, "uriBaseId": "%SRCROOT%"},
        "region": {"startLine": max(source.line, 1)},
    }
    return [{"physicalLocation": place}]


def _suppressions(gated: Gated) -> Sequence[Plain]:
    """Return who has accepted a regression; of one that nobody has an empty list, since all need one."""
    accepted = gated.acceptance
    if gated.comparison.verdict != "ACCEPTED" or accepted is None:
        return []
    said = f"{accepted.reason} ({accepted.author}, until {accepted.expires})"
    return [{"kind": "external", "status": "accepted", "justification": _text(said)}]


def _message(text: str, *, most: int = MOST_TEXT) -> dict[str, Plain]:
    return {"text": _text(text, most=most)}


def _text(text: str, *, most: int = MOST_TEXT) -> str:
    line = one_line(text).translate(_BRACKETS)
    return line if len(line) <= most else f"{line[: most - 1]}…"


def _whole(text: str) -> str:
    """Return a text without lone surrogates, which have no bytes."""
    return text.encode(errors="backslashreplace").decode()
