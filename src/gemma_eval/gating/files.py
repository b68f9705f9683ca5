"""What gates found, as the files that other programs read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

from gemma_eval.errors import UsageError
from gemma_eval.files import writing
from gemma_eval.records import Gating, Report

Format = Literal["github", "sarif", "json", "bencher", "pytest-benchmark"]


def write(name: Format, path: Path, report: Report) -> None:
    """Write one file; those of verdicts are empty of them where nothing was gated. Raises UsageError."""
    text = _FORMATS[name](report)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        writing.write(path, text.encode(), durable=False)
    except writing.WriteError as error:
        raise UsageError(f"{path}: {error.what}") from error
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror}") from error


def append_summary(path: Path, gating: Gating) -> None:
    """Append the gates to the summary of a step of GitHub Actions. Raises UsageError."""
    from gemma_eval.report.gates.github import step_summary

    try:
        with path.open("a", encoding="utf-8") as summary:
            summary.write(f"{step_summary(gating)}\n")
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror}") from error


def _github(report: Report) -> str:
    from gemma_eval.report.gates.github import step_summary

    return step_summary(_gating(report))


def _sarif(report: Report) -> str:
    from gemma_eval.report.gates.sarif import sarif

    return sarif(_gating(report))


def _json(report: Report) -> str:
    from gemma_eval.report.gates.verdicts_json import verdicts_json

    return verdicts_json(_gating(report))


def _bencher(report: Report) -> str:
    from gemma_eval.report.gates.bencher import bencher

    return bencher(report)


def _pytest_benchmark(report: Report) -> str:
    from gemma_eval.report.gates.pytest_benchmark import pytest_benchmark

    return pytest_benchmark(report)


_FORMATS: Mapping[str, Callable[[Report], str]] = {
    "github": _github,
    "sarif": _sarif,
    "json": _json,
    "bencher": _bencher,
    "pytest-benchmark": _pytest_benchmark,
}


def _gating(report: Report) -> Gating:
    if report.gating is not None:
        return report.gating
    return Gating(candidate=report.run.id, base=None, found="nothing was asked for", blocks=None, gated=())
