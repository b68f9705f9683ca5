"""How each code block of the documentation is run: one evaluator per language, and no other language.

A block's info string may hold a file name (`toml village.toml`), under which the block is saved in the
folder that the page's commands run in, and `exit=N`: its commands end with that code, its file is refused.
`needs=redis-server` runs it beside a server at the address in `REDIS_URL`, or skips it where there is none.
`text` blocks show what a reader sees and are not run.
"""

from __future__ import annotations

import contextlib
import doctest
import json
import re
import sqlite3
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType

import pytest
from sybil import Document
from sybil.parsers.markdown.lexers import RawFencedCodeBlockLexer

import _gemma_eval_pytest
from gemma_eval import plugins, suite
from gemma_eval.cases.gates import load_gates
from gemma_eval.config import models, profiles, settings_file, templates
from gemma_eval.config.accepted import load_accepted
from gemma_eval.errors import UsageError
from gemma_eval.importers import yaml_file
from gemma_eval.prompts.build import build
from gemma_eval.prompts.lint import lint, sample_case
from gemma_eval.prompts.templates import fill
from gemma_eval.records import Cell, Message, Passage, Template
from gemma_eval.scoring.judge_items import load as load_labelled
from tests.docs.commands import run_command
from tests.docs.needs import provided
from tests.examples import a_cell

Namespace = dict[str, object]
INFO = re.compile(r"(?P<language>[^\s]*)(?P<arguments>[^\n]*)$\n", re.MULTILINE)
DATABASE = Path("reports/gemma_eval.db")


@dataclass(frozen=True, kw_only=True)
class Block:
    """One fenced block: its text, what the info string asks for, and the folder it is run in."""

    language: str
    source: str
    namespace: Namespace
    folder: Path = Path()
    file_name: str | None = None
    exit_code: int = 0
    needs: str | None = None


def find(path: Path) -> Iterator[tuple[int, Block]]:
    """Yield every fenced block of a page, whatever its language, with the line on which it begins."""
    document = Document(path.read_text(encoding="utf-8"), str(path))
    namespace: Namespace = {"__name__": path.stem}
    for region in RawFencedCodeBlockLexer(INFO)(document):
        line = document.text.count("\n", 0, region.start) + 1
        yield line, _block(**region.lexemes, namespace=namespace)


def check(block: Block, *, folder: Path) -> None:
    """Save the block under its file name, if it has one, and run it in `folder`."""
    if block.language not in EVALUATORS:
        known = ", ".join(sorted(EVALUATORS))
        raise AssertionError(f"a block of language {block.language!r} cannot be checked; known: {known}")
    if block.file_name is not None:
        path = folder / block.file_name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.source, encoding="utf-8")
    with provided(block.needs), contextlib.chdir(folder):
        EVALUATORS[block.language](replace(block, folder=folder))


def _block(*, language: str, arguments: str, source: str, namespace: Namespace) -> Block:
    words = arguments.split()
    names = [word for word in words if "=" not in word]
    codes = [int(word.removeprefix("exit=")) for word in words if word.startswith("exit=")]
    needs = [word.removeprefix("needs=") for word in words if word.startswith("needs=")]
    return Block(
        language=language,
        source=source,
        namespace=namespace,
        file_name=names[0] if names else None,
        exit_code=codes[0] if codes else 0,
        needs=needs[0] if needs else None,
    )


def _python(block: Block) -> None:
    """Execute; names live on in the later blocks of the page."""
    code = compile(block.source, block.file_name or "<block>", "exec", dont_inherit=True)
    exec(code, block.namespace)  # noqa: S102 - the repository's own pages


def _console_session(block: Block) -> None:
    """Run a `>>>` session and compare what it prints."""
    test = doctest.DocTestParser().get_doctest(block.source, block.namespace, "block", None, 0)
    printed: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    runner.run(test, out=printed.append, clear_globs=False)
    block.namespace.update(test.globs)
    assert runner.failures == 0, "".join(printed)


def _toml(block: Block) -> None:
    """Load a suite, a models file or pytest settings through the code that reads them in use."""
    refused = pytest.raises(UsageError) if block.exit_code else contextlib.nullcontext()
    with refused:
        _load_toml(block, set(tomllib.loads(block.source)))


def _load_toml(block: Block, keys: set[str]) -> None:
    path = _saved(block, "block.toml")
    if keys & {"suite", "defaults", "case", "retrieval"}:
        suite.load_suite(path, plugins.load(_conftest(block.folder)))
    elif keys == {"gate"}:
        load_gates(path)
    elif keys == {"accepted"}:
        load_accepted(path)
    elif "item" in keys:
        load_labelled(path)
    elif "model" in keys:
        models.load(path)
    elif keys == {"tool"}:
        entry_module = Path(_gemma_eval_pytest.__file__).read_text(encoding="utf-8")
        known = set(re.findall(r'addini\("(gemma_\w+)"', entry_module))
        given = set(tomllib.loads(block.source)["tool"]["pytest"]["ini_options"])
        assert given <= known, f"unknown settings: {sorted(given - known)}"
    else:
        raise AssertionError(
            f"neither a suite, a models file nor pytest settings: top-level keys {sorted(keys)}"
        )


def _json(block: Block) -> None:
    """Load a profiles file."""
    assert "profiles" in json.loads(block.source), "a json block of the documentation is a profiles file"
    profiles.load(_saved(block, "profiles.json"))


def _jsonl(block: Block) -> None:
    """Read the rows of a dataset."""
    assert all(isinstance(json.loads(line), dict) for line in block.source.splitlines() if line)


def _yaml(block: Block) -> None:
    """Read settings, known by the name of the file, or a file of another framework, which is plain data."""
    if block.file_name is None or Path(block.file_name).name != settings_file.NAME:
        assert yaml_file.parse(str(block.source)).refused == ()
        return
    with pytest.raises(UsageError) if block.exit_code else contextlib.nullcontext():
        settings_file.load(block.folder / block.file_name)


def _jinja(block: Block) -> None:
    """Render a template with two passages and without any."""
    template = Template(name="block", text=block.source.rstrip("\n"))
    for passages in ((), PASSAGES):
        prompt = build(
            _cell(template),
            passages=passages,
            chat_template=None,
            count_tokens=lambda text: len(text.split()),
        )
        assert QUESTION in prompt.messages[-1].content


def _markdown(block: Block) -> None:
    """Look for what is wrong with a template, and render it; a part is only read."""
    (block.folder / "templates").mkdir(exist_ok=True)
    path = _saved(block, "templates/block.md")
    if path.parent.name != "templates" or path.name.startswith(templates.PART):
        return
    if block.exit_code:
        assert [each for each in lint(templates.read(path)) if not each.is_warning]
        return
    template = templates.read(path)
    assert [each.what for each in lint(template)] == []
    prompt = fill(template, sample_case(template), PASSAGES)
    assert QUESTION in prompt


def _sql(block: Block) -> None:
    """Query the database that an earlier command of the page has written; finding nothing is a failure."""
    with contextlib.closing(sqlite3.connect(f"file:{DATABASE}?mode=ro", uri=True)) as database:
        assert database.execute(block.source).fetchall(), "the query finds nothing"


def _commands(block: Block) -> None:
    """Run each line; in a `console` block those after `$ `, with their output below, `...` for anything."""
    for command, expected in _transcript(block):
        printed = run_command(command, folder=block.folder, exit_code=block.exit_code)
        want = "\n".join(line.rstrip() for line in expected)
        got = "\n".join(line.rstrip() for line in printed.splitlines())
        flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
        matches = not want or doctest.OutputChecker().check_output(want + "\n", got + "\n", flags)
        assert matches, f"$ {command}\nprinted:\n{got}\nthe page shows:\n{want}"


def _transcript(block: Block) -> list[tuple[str, list[str]]]:
    lines = [line for line in block.source.splitlines() if line.strip()]
    if block.language == "bash":
        return [(line, []) for line in lines if not line.startswith("#")]
    entries: list[tuple[str, list[str]]] = []
    for line in lines:
        if line.startswith("$ "):
            entries.append((line.removeprefix("$ "), []))
        else:
            entries[-1][1].append(line)
    return entries


def _text(block: Block) -> None:
    """Show only."""


def _conftest(folder: Path) -> list[ModuleType]:
    """Return the conftest.py that the page has saved, as pytest would have loaded it."""
    path = folder / "conftest.py"
    if not path.exists():
        return []
    module = ModuleType("conftest")
    exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), vars(module))  # noqa: S102
    return [module]


def _saved(block: Block, default: str) -> Path:
    path = block.folder / (block.file_name or default)
    path.write_text(block.source, encoding="utf-8")
    return path


QUESTION = "Where does Finn live?"
PASSAGES = tuple(
    Passage(id=str(rank), text=text, document="people.md", score=1.0 / rank, rank=rank)
    for rank, text in enumerate(("Finn lives in Oslo.", "Ada lives in Rome."), start=1)
)


def _cell(template: Template) -> Cell:
    """Return a cell that asks about two documents after one earlier turn."""
    cell = a_cell()
    turns = (
        Message(role="user", content="Who owns a cat?"),
        Message(role="assistant", content="Mia"),
        Message(role="user", content=QUESTION),
    )
    return replace(cell, case=replace(cell.case, messages=turns), template=template)


EVALUATORS: dict[str, Callable[[Block], None]] = {
    "python": _python,
    "pycon": _console_session,
    "toml": _toml,
    "json": _json,
    "jsonl": _jsonl,
    "jinja": _jinja,
    "markdown": _markdown,
    "sql": _sql,
    "console": _commands,
    "bash": _commands,
    "text": _text,
    "yaml": _yaml,
}
