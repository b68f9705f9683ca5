"""The JSON Schemas of suites and of files of gates, for editors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gemma_eval.cases.schema import SuiteFileRow
from gemma_eval.cases.schema_gates import GatesFileRow
from gemma_eval.cases.schema_words import WORDS
from gemma_eval.files.editor_schema import Json, schema_of

_REQUIRED: Mapping[str, Sequence[str]] = {
    "CaseRow": ("id",),
    "HaystackRow": ("id", "prompt", "needle", "needles", "hay", "lengths", "depths"),
    "CheckRow": ("scorer",),
    "FilterRow": ("filter",),
    "MessageRow": ("role", "content"),
    "InlineDocument": ("name", "text"),
    "GateRow": ("id", "metric"),
}


def suite_schema(known: Mapping[str, Sequence[str]]) -> Json:
    """Return that of a suite; `known` are the values that an editor offers for a key, as scorers."""
    return schema_of(SuiteFileRow, name="suite", words=WORDS, required=_REQUIRED, known=known)


def gates_schema(known: Mapping[str, Sequence[str]]) -> Json:
    """Return that of a file of gates, as gemma-gates.toml."""
    return schema_of(GatesFileRow, name="gates", words=WORDS, required=_REQUIRED, known=known)
