"""What a case says is right: the texts that its checks compare with."""

from __future__ import annotations

from gemma_eval.records import Case

NAMES = ("expected", "text", "any", "all", "value", "reference", "references", "letter", "pattern")
"""The options of scorers that hold what is right."""


def references(case: Case) -> list[str]:
    """Return the right choice of a case with choices, else what its checks were given, each once."""
    if case.choices and case.target is not None:
        return [case.choices[case.target]]
    found: list[str] = []
    for check in case.checks:
        for name in NAMES:
            value = check.options.get(name, ()) if not check.negated else ()
            found.extend(str(each) for each in (value if isinstance(value, tuple | list) else (value,)))
    return list(dict.fromkeys(found))
