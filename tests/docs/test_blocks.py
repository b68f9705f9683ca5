"""The documentation's own tests have teeth: a block of each language that is wrong is found."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from gemma_eval.errors import GemmaEvalError
from tests.docs.blocks import EVALUATORS, Block, check, find
from tests.docs.commands import ROOT, run_command

PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
WRONG = {
    "python": "assert 1 == 2",
    "pycon": ">>> 1 + 1\n3\n",
    "toml": '[defaults]\nmodels = ["pockett"]\n[[case]]\nid = "a"\n',
    "json": '{"version": 1, "profiles": {"a": {"temprature": 1}}}',
    "jinja": "{{ qurey }}",
    "markdown": "---\nversion: '1'\n---\n{{ qurey }}",
    "sql": "SELECT no_such_column FROM v_outcome",
    "console": "$ python -m no_such_module_here\n",
    "bash": "make no-such-target",
    "jsonl": "[1]\n",
    "yaml": "doc_to_text: !function utils.text\n",
}


@pytest.fixture
def folder() -> Iterator[Path]:
    """A page's folder."""
    with TemporaryDirectory() as name:
        yield Path(name)


def block(language: str, source: str) -> Block:
    """Return a block without a file name."""
    return Block(language=language, source=source, namespace={})


@pytest.mark.parametrize("language", sorted(WRONG))
def test_a_wrong_block_is_found(language: str, folder: Path) -> None:
    """Each language's evaluator fails on a planted error."""
    with pytest.raises((AssertionError, GemmaEvalError, sqlite3.Error)):
        check(block(language, WRONG[language]), folder=folder)


def test_every_language_but_text_has_a_planted_error() -> None:
    """A new language comes with an error that its evaluator finds."""
    assert set(EVALUATORS) - set(WRONG) == {"text"}


@pytest.mark.parametrize("language", ["", "rust", "Python"])
def test_a_language_that_nothing_checks_is_refused(language: str, folder: Path) -> None:
    """No block passes because its language is unknown or left out."""
    with pytest.raises(AssertionError, match="cannot be checked"):
        check(block(language, "1 + 1"), folder=folder)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_fence_of_a_page_is_found(page: Path) -> None:
    """As many blocks are tests as a plain count of fences gives."""
    fences = re.findall(r"^ *```", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(list(find(page))) * 2 == len(fences)


def test_a_refused_file_must_be_wrong(folder: Path) -> None:
    """A block that is said to be refused fails the page when it is accepted."""
    good = Block(
        language="toml",
        source='version = 1\n[model.a]\nbackend = "scripted"\nlocation = "@none"\n',
        namespace={},
        exit_code=4,
    )
    with pytest.raises(pytest.fail.Exception):
        check(good, folder=folder)


@pytest.mark.parametrize(
    "command", ["pip install gemma_evil", "pip install gemma_eval[nothing]", "rm -rf build", "make fast"]
)
def test_a_command_line_that_names_nothing_real_is_refused(command: str, folder: Path) -> None:
    """Commands that are not run are held against what the project has."""
    with pytest.raises(AssertionError):
        run_command(command, folder=folder)


def test_an_option_that_does_not_exist_is_refused(folder: Path) -> None:
    """A pytest line with a misspelt option fails."""
    with pytest.raises(AssertionError, match="exit code 4"):
        run_command("pytest --gemma-siute standard", folder=folder)


def test_shown_output_that_a_command_does_not_print_is_found(folder: Path) -> None:
    """What stands below a command is compared."""
    with pytest.raises(AssertionError, match="the page shows"):
        check(block("console", "$ gemma-eval --version\nsomething else\n"), folder=folder)
    check(block("console", "$ gemma-eval --version\ngemma-eval ...\n"), folder=folder)


def test_a_need_that_nobody_meets_is_refused(folder: Path) -> None:
    """No block runs without what it says it needs."""
    with pytest.raises(AssertionError, match=r"known: .*redis-server"):
        check(Block(language="python", source="pass", namespace={}, needs="redis"), folder=folder)
