"""The gates as JSON for programs, in a shape that stays, and back."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping

from gemma_eval.errors import StoreError
from gemma_eval.records import Gated, Gating
from gemma_eval.report.gates.words import WORDS, level
from gemma_eval.wire import Plain, dump, load

SCHEMA_VERSION = 1
"""Raised when a field changes its meaning or goes; new fields alone do not raise it."""


def document(gating: Gating) -> dict[str, Plain]:
    """Return the gates of a run as plain values.

    `schema_version`; `run` and `base`, their ids, `commits` by `base` and `candidate`, `found`, `blocks`,
    `changes` and `notes` as the record `Gating` names them; `counts` of the verdicts, all of them; and
    `gates`, each with its `id`, `verdict`, `level` (`error`, `warning`, `note`, `null` for a PASS), `label`,
    `group`, `gate`, `comparison`, `p_adjusted` and `acceptance` as the records name them. What is not known
    is `null`. `spoiled`, `most_blocks`, `base_database` and `in_force`, which are the `gates` of the record,
    are what it takes to judge again. A `difference`, its bounds `low` and `high` and the `margin` are + where
    the candidate is worse: in scores, or logarithms of the ratio of costs.
    """
    told = dump(gating)
    counts = Counter(each.comparison.verdict for each in gating.gated)
    return {
        "schema_version": SCHEMA_VERSION,
        "run": told.pop("candidate"),
        "counts": {verdict: counts[verdict] for verdict in WORDS},
        "in_force": told.pop("gates"),
        "gates": [_gate(each) for each in gating.gated],
        **{name: value for name, value in told.items() if name != "gated"},
    }


def verdicts_json(gating: Gating) -> str:
    """Return the document as a file of ASCII, a line for each gate; keys are sorted."""
    told = document(gating)
    head = ",\n".join(f"{json.dumps(name)}: {_line(told[name])}" for name in sorted(told) if name != "gates")
    rows = ",\n".join(_line(_gate(each)) for each in gating.gated)
    return f'{{\n{head},\n"gates": [\n{rows}\n]\n}}\n'


def read(told: Mapping[str, object]) -> Gating:
    """Rebuild the gates of a run from their document.

    Raises StoreError when it is not one, or one of another version.
    """
    version = told.get("schema_version")
    if version != SCHEMA_VERSION:
        raise StoreError(f"the gates are of schema_version {version!r}; this version reads {SCHEMA_VERSION}")
    renamed = {"candidate": "run", "gated": "gates"}
    record = {**told, **{ours: told.get(theirs) for ours, theirs in renamed.items()}}
    return load(Gating, {**record, "gates": told.get("in_force", ())})


def _gate(gated: Gated) -> dict[str, Plain]:
    return {**dump(gated), "id": gated.id, "verdict": gated.comparison.verdict, "level": level(gated)}


def _line(plain: Plain) -> str:
    return json.dumps(plain, sort_keys=True, allow_nan=False)
