"""Gates as pytest reports them: passed, failed or skipped, and the exit code that follows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gemma_eval.pytest_plugin.gate_options import GateSettings
from gemma_eval.records import Gated, Gating, Verdict
from gemma_eval.report.gates.words import account
from gemma_eval.report.visible import visible

VERDICT = "gemma_eval_verdict"
"""The attribute of a report that says which verdict it is of."""

_BROKEN: tuple[Verdict, ...] = ("REGRESSED", "MISSING")
_GOOD: tuple[Verdict, ...] = ("PASS", "ACCEPTED")

_REGRESSED, _INCONCLUSIVE, _NO_BASE, _NO_MEASUREMENT = 10, 11, 12, 13
_CODES: dict[Verdict, int] = {
    "REGRESSED": _REGRESSED,
    "MISSING": _REGRESSED,
    "INCONCLUSIVE": _INCONCLUSIVE,
    "NEW": _NO_BASE,
    "INCOMPARABLE": _NO_BASE,
    "INVALID": _NO_MEASUREMENT,
    "INCOMPLETE": _NO_MEASUREMENT,
}
_LETTERS = {"passed": ".", "failed": "F", "skipped": "s"}


def outcome(gated: Gated, settings: GateSettings) -> str:
    """Return `passed`, `failed` or `skipped`: only a critical gate can fail."""
    verdict = gated.comparison.verdict
    if verdict in _GOOD:
        return "passed"
    if settings.mode != "enforce" or gated.gate.tier != "critical":
        return "skipped"
    if verdict in _BROKEN or settings.inconclusive == "fail":
        return "failed"
    return "passed" if verdict == "INCONCLUSIVE" and settings.inconclusive == "pass" else "skipped"


def exit_code(gating: Gating, settings: GateSettings) -> int:
    """Return the exit code of what gates failed, 0 when none did."""
    failed = [each for each in gating.gated if outcome(each, settings) == "failed"]
    if not failed:
        return 0
    if not settings.extended:
        return int(pytest.ExitCode.TESTS_FAILED)
    return min(_CODES[each.comparison.verdict] for each in failed)


def reports(
    gating: Gating, settings: GateSettings, *, rootdir: Path
) -> Iterator[tuple[pytest.TestReport, pytest.TestReport]]:
    """Yield the reports of each gate, as of a test at the line where it is written: its call and its end.

    JUnit files take the properties of a test from the report of its end.
    """
    for each in gating.gated:
        path, line = _where(each, rootdir)
        nodeid = f"{path}::gate::{visible(each.id)}"
        said = visible(account(each))
        how = outcome(each, settings)
        location = (path, line, f"gate::{visible(each.id)}")
        call = pytest.TestReport(
            nodeid=nodeid,
            location=location,
            keywords={},
            outcome=how,  # type: ignore[arg-type]
            longrepr=(path, line + 1, said) if how == "skipped" else said if how == "failed" else None,
            when="call",
        )
        setattr(call, VERDICT, each.comparison.verdict)
        yield (
            call,
            pytest.TestReport(
                nodeid=nodeid,
                location=location,
                keywords={},
                outcome="passed",
                longrepr=None,
                when="teardown",
                user_properties=list(_properties(each)),
            ),
        )


def status(report: pytest.TestReport) -> tuple[str, str, str] | None:
    """Return how pytest shows a report of a gate, `None` for any other."""
    verdict = getattr(report, VERDICT, None)
    return None if verdict is None else (report.outcome, _LETTERS[report.outcome], str(verdict))


def _where(gated: Gated, rootdir: Path) -> tuple[str, int]:
    source = gated.gate.source
    if source is None:
        return "gemma_eval", 0
    path = Path(source.path)
    shown = path.relative_to(rootdir) if path.is_relative_to(rootdir) else path
    return shown.as_posix(), max(source.line - 1, 0)


def _properties(gated: Gated) -> Iterator[tuple[str, object]]:
    found = gated.comparison
    for name in ("verdict", "metric", "base", "candidate", "difference", "low", "high", "margin", "n", "p"):
        if (value := getattr(found, name)) is not None:
            yield f"gemma_{name}", value
