"""The words of a command line that a block is started with as well: all but ours, and what writes files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

_OURS = "--gemma-"
_FLAGS = ("--gemma-plan", "--gemma-panel", "--gemma-open", "--gemma-selftest")

_WITH_VALUE = (
    "-k",
    "-m",
    "--basetemp",
    "--junitxml",
    "--junit-xml",
    "--html",
    "--json-report-file",
    "--report-log",
)
"""What chooses items, which the cells of a block do, and what writes files, which the session does."""

_ALONE = ("--pdb", "--trace", "-x", "--exitfirst", "--co", "--collect-only")
"""What waits for a person or ends early."""


def passed_on(config: pytest.Config) -> tuple[str, ...]:
    """Return what a block is given of the command line: options of pytest, of plugins and of conftest.py."""
    files = set(map(str, config.option.file_or_dir or ()))
    return tuple(_kept([str(word) for word in config.invocation_params.args], files))


def _kept(words: Sequence[str], files: set[str]) -> Iterator[str]:
    rest = iter(words)
    for word in rest:
        name, equals, _ = word.partition("=")
        if name.startswith(_OURS) or name in _WITH_VALUE:
            if not equals and name not in _FLAGS:
                next(rest, None)
        elif word not in files and name not in _ALONE:
            yield word
