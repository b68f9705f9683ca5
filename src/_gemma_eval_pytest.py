"""The pytest11 entry module: the standard library alone, so that who runs no suite pays nothing for it."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Protocol

import pytest

if TYPE_CHECKING:
    from gemma_eval.pytest_plugin.evaluation import Evaluation

    class _Node(Protocol):
        """The part of an xdist worker that is used here."""

        config: pytest.Config


_ASKING = ("gemma_ab", "gemma_baseline", "gemma_log_json", "gemma_plan", "gemma_resume", "gemma_suite")
_CHOICES = (
    ("gate", "whether a critical gate that is broken fails the run", "enforce", "report", "off"),
    ("inconclusive", "what a critical gate does that proves nothing", "warn", "pass", "fail"),
    ("exit-codes", "1 for every failure, or 10 and more for what gates found", "pytest", "extended"),
)
_TOLD = "GEMMA_EVAL_BLOCK_CELLS"  # as in executors.arm, which costs an import
_MARKERS = (
    "gemma: an item of a gemma_eval suite",
    "gemma_quality: a case that is scored",
    "gemma_benchmark: a case that is timed, alone on the machine",
    "gemma_retrieval: a case whose passages are judged, without a model",
    "gemma_selftest: a value that others have published",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the `--gemma-*` options and the `gemma_*` ini names."""
    group = parser.getgroup("gemma_eval", "measure local language models (gemma_eval)")
    for name, metavar, what in (
        ("suite", "NAME|PATH", "run this suite and nothing else; may be given again"),
        ("model", "GLOB", "only these models, also one the suite does not name; may be given again"),
        ("profile", "GLOB", "only these sampling profiles; may be given again"),
        ("template", "GLOB", "only these prompt templates; may be given again"),
        ("retrieval", "GLOB", "only these retrievals; may be given again"),
    ):
        group.addoption(f"--gemma-{name}", action="append", default=[], metavar=metavar, help=what)
    kinds = ("quality", "benchmark", "retrieval")
    group.addoption("--gemma-kind", choices=kinds, help="only cases of this kind")
    group.addoption("--gemma-repeats", type=int, metavar="N", help="generations per cell, for every case")
    group.addoption(
        "--gemma-db",
        metavar="PATH",
        help="results database (database of the settings: reports/gemma_eval.db)",
    )
    group.addoption(
        "--gemma-report", metavar="DIR", help="folder for the reports (reports of the settings: reports)"
    )
    group.addoption("--gemma-log-json", metavar="FILE", help="append a line of JSON for each event to a file")
    group.addoption("--gemma-resume", metavar="RUN", help='go on with a run: its id, or "latest"')
    what = "hold scorers and statistics against values that others have published"
    group.addoption("--gemma-selftest", action="store_true", help=what)
    what = "on a terminal, show progress in a panel in the place of dots"
    group.addoption("--gemma-panel", action="store_true", help=what)
    what = "open the report in a browser at the end"
    group.addoption("--gemma-open", action="store_true", help=what)
    group.addoption("--gemma-plan", action="store_true", help="show what would run and for how long, no more")
    for name, metavar, what in (
        ("ab", "BASE", "measure this model, profile, template, retrieval or git:REF in turn, and compare"),
        ("baseline", "RUN|auto", "compare with a run, a name, a database, merge-base:REF, or auto"),
        ("gates", "FILE", "the gates in force beside those of the suites (gemma-gates.toml)"),
    ):
        group.addoption(f"--gemma-{name}", metavar=metavar, help=what)
    group.addoption(
        "--gemma-blocks", type=int, metavar="N", help="engine starts to measure speed with, at most"
    )
    for name, what, *choices in _CHOICES:
        help_ = f"{what} ({choices[0]})"
        group.addoption(f"--gemma-{name}", choices=choices, default=choices[0], help=help_)
    what = "write verdicts as github, sarif, json, bencher or pytest-benchmark; may be given again"
    group.addoption("--gemma-gate-report", action="append", default=[], metavar="FORMAT:PATH", help=what)
    parser.addini("gemma_gates", "gates beside those of the suites, as --gemma-gates", default="")
    parser.addini("gemma_accepted", "accepted regressions (gemma-accepted.toml)", default="")
    parser.addini("gemma_files", "globs of suite files to collect", type="linelist", default=["*.gemma.toml"])
    parser.addini("gemma_suite_paths", "folders where --gemma-suite looks names up", type="paths", default=[])
    parser.addini("gemma_db", "results database, as --gemma-db", default="")
    parser.addini("gemma_reports", "folder for the reports, as --gemma-report", default="")


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(
    early_config: pytest.Config, args: list[str], parser: pytest.Parser
) -> None:
    """Turn each `--gemma-suite` into a path among the arguments, so that exactly those suites run."""
    if _TOLD in os.environ:
        _obey(early_config.known_args_namespace)
    if not early_config.known_args_namespace.gemma_suite:
        return
    from gemma_eval.pytest_plugin.suites import add_arguments

    add_arguments(early_config, args)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Register the markers; check the suites that were asked for before anything is started."""
    if _TOLD in os.environ:
        _obey(config.option)
    for marker in _MARKERS:
        config.addinivalue_line("markers", marker)
    if config.getoption("gemma_selftest"):
        from gemma_eval.pytest_plugin.vectors import Vectors

        config.pluginmanager.register(Vectors(config), "gemma_eval_vectors")
    given = _given_suites(config)
    if given or any(config.getoption(name) for name in _ASKING):
        _evaluation(config).check(given)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect a suite file, known by its name or by `--gemma-suite`; no other file is opened."""
    if file_path.suffix != ".toml":
        return None
    by_name = _is_suite(file_path, parent.config)
    if not by_name and not parent.config.getoption("gemma_suite"):
        return None
    try:
        is_asked_for = _evaluation(parent.config).asks_for(file_path)
    except pytest.UsageError as error:  # of the settings, which nothing has read before
        raise pytest.Collector.CollectError("\n".join(map(str, error.args))) from None
    if not is_asked_for and not by_name:
        return None
    from gemma_eval.pytest_plugin.suite_file import collect

    return collect(file_path, parent)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_node_collection_finished(node: _Node, ids: Sequence[str]) -> None:
    """Plan what the workers have collected: with xdist this process collects nothing itself."""
    config = node.config
    paths = {PurePath(nodeid.partition("::")[0]) for nodeid in ids}
    if config.getoption("gemma_suite") or any(_is_suite(path, config) for path in paths):
        from gemma_eval.pytest_plugin.activation import begin

        begin(config, ids)


def _is_suite(path: PurePath, config: pytest.Config) -> bool:
    """Whether the ini value `gemma_files` says that a file is a suite."""
    return any(path.match(glob) for glob in config.getini("gemma_files"))


def _given_suites(config: pytest.Config) -> list[Path]:
    """Return the suite files among pytest's arguments."""
    paths = [config.invocation_params.dir / argument.partition("::")[0] for argument in config.args]
    return [path for path in paths if _is_suite(path, config) and path.is_file()]


def _obey(option: argparse.Namespace) -> None:
    from gemma_eval.pytest_plugin.told import obey

    obey(option)


def _evaluation(config: pytest.Config) -> Evaluation:
    from gemma_eval.pytest_plugin.activation import start

    return start(config)
