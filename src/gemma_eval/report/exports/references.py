"""What a case says is right: the texts that its checks compare with."""

from __future__ import annotations

from gemma_eval.records import Case

NAMES = ("expected", "text", "any", "all", "value", "reference", "references", "letter", "pattern")
"""The options of scorers that hold what is right."""


def references(case: Case) -> list[str]:
    """Return the right choice of a case, or the text that is read, else what its checks were given."""
    if case.choices and case.target is not None:
        return [case.choices[case.target]]
    if case.continuation is not None:
        return [case.continuation]
    found: list[str] = []
    for check in case.checks:
        for name in NAMES:
            value = check.options.get(name, ()) if not check.negated else ()
            found.extend(str(each) for each in (value if isinstance(value, tuple | list) else (value,)))
    return list(dict.fromkeys(found))
