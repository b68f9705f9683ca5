"""Small suites that the tests of this folder share."""

from __future__ import annotations

from pathlib import Path

from gemma_eval.cases.load import Looked, Names, load
from gemma_eval.errors import SuiteError
from gemma_eval.records import Check, Subject, Suite

NAMES = Names(
    models=("pocket", "big"), profiles=("greedy", "hot"), templates=("plain", "rag"), filters=("strip",)
)

DEFAULTS = '[defaults]\nmodels = ["pocket"]\nprofiles = ["greedy"]\ntemplates = ["plain"]\n'
CASE = '[[case]]\nid = "a"\nprompt = "Hi?"\nchecks = [{scorer = "contains", text = "x"}]\n'
HAYSTACK = """
[[haystack]]
id = "needle"
prompt = "Context:\\n{haystack}\\n\\nWhere does {name} live?"
needle = "- {name} lives in {value}."
needles = [{name = "Finn", value = "Oslo"}, {name = "Mia", value = "Rome"}]
hay = "hay.md"
lengths = [1, 2]
depths = [0.0, 0.5, 1.0]
checks = [{scorer = "contains", text = "{value}"}]
"""


SUBJECTS: dict[str, Subject] = {
    "likelihood": "continuation",
    "acc": "choices",
    "distinct_n": "repeats",
    "determinism": "repeats",
}


def look(check: Check) -> Looked:
    """Know a scorer of each subject, and one that asks a model; that of answers has two options."""
    if check.scorer in SUBJECTS:
        return Looked(subject=SUBJECTS[check.scorer], repeats=2 if check.scorer == "determinism" else 1)
    if check.scorer == "judge":
        return Looked(subject="answer", models=("big",))
    if check.scorer != "contains":
        return Looked(problem=f'no scorer named "{check.scorer}"')
    known = set(check.options) <= {"text", "any"}
    return Looked(subject="answer", problem=None if known else "unknown option")


def read(folder: Path, text: str | bytes, *, name: str = "s.toml") -> Suite:
    """Write a suite file and load it."""
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return load(path, names=NAMES, look=look)


def said(folder: Path, text: str | bytes, *, name: str = "s.toml") -> list[str]:
    """Return the problems of a suite as `line: what`, none when it is good."""
    try:
        read(folder, text, name=name)
    except SuiteError as error:
        return [f"{problem.line}: {problem.what}" for problem in error.problems]
    return []
