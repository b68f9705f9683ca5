"""How each code block of the documentation is run: one evaluator per language, and no language unknown.

A block's info string may hold a file name (`toml geography.toml`), under which the block is saved in the
folder that the page's commands run in, and `exit=N`, the exit code that a block's commands must have.
`text` blocks show what a reader sees and are not run.
"""

from __future__ import annotations

import contextlib
import doctest
import json
import re
import sqlite3
import tempfile
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest
from sybil import Document, Example, Region, Sybil
from sybil.parsers.markdown.lexers import RawFencedCodeBlockLexer
from sybil.typing import Namespace

from gemma_eval import plugins, run
from gemma_eval.config import models, profiles
from gemma_eval.prompts.build import build
from gemma_eval.records import Case, Cell, Document as CaseDocument, Message, ModelSpec, Passage
from gemma_eval.records import Retrieval, SamplingProfile, Source, Template
from tests.docs.commands import run_command

INFO = re.compile(r"(?P<language>[^\s]*)(?P<arguments>[^\n]*)$\n", re.MULTILINE)
FOLDER = "page_folder"
DATABASE = Path("reports/gemma_eval.db")


@dataclass(frozen=True, kw_only=True)
class Block:
    """One fenced block: its text, the folder of its page, and what the info string asks for."""

    language: str
    source: str
    folder: Path
    namespace: Namespace
    file_name: str | None = None
    exit_code: int = 0


def pages(root: Path) -> Callable[[Path, pytest.Collector], pytest.Collector | None]:
    """Return the collector of the pages under `root`; the blocks of a page share a folder and a namespace."""
    sybil = Sybil(
        parsers=[blocks],
        path=str(root),
        patterns=["README.md", "docs/*.md"],
        setup=_open_folder,
        teardown=_close_folder,
    )
    return cast("Callable[[Path, pytest.Collector], pytest.Collector | None]", sybil.pytest())


def blocks(document: Document) -> Iterable[Region]:
    """Find every fenced block, whatever its language."""
    for region in RawFencedCodeBlockLexer(INFO)(document):
        region.parsed = region.lexemes["source"]
        region.evaluator = evaluate
        yield region


def evaluate(example: Example) -> None:
    """Run one block. Raises AssertionError for a language that nothing here knows."""
    check(
        _block(
            language=example.region.lexemes["language"],
            arguments=example.region.lexemes["arguments"],
            source=str(example.parsed),
            namespace=example.namespace,
        )
    )


def check(block: Block) -> None:
    """Save the block under its file name, if it has one, and run it in the folder of its page."""
    if block.language not in EVALUATORS:
        known = ", ".join(sorted(EVALUATORS))
        raise AssertionError(f"a block of language {block.language!r} cannot be checked; known: {known}")
    if block.file_name is not None:
        path = block.folder / block.file_name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.source, encoding="utf-8")
    with contextlib.chdir(block.folder):
        EVALUATORS[block.language](block)


def _block(*, language: str, arguments: str, source: str, namespace: Namespace) -> Block:
    words = arguments.split()
    names = [word for word in words if "=" not in word]
    codes = [int(word.removeprefix("exit=")) for word in words if word.startswith("exit=")]
    folder = cast("tempfile.TemporaryDirectory[str]", namespace[FOLDER])
    return Block(
        language=language,
        source=source,
        folder=Path(folder.name),
        namespace=namespace,
        file_name=names[0] if names else None,
        exit_code=codes[0] if codes else 0,
    )


def _open_folder(namespace: Namespace) -> None:
    namespace[FOLDER] = tempfile.TemporaryDirectory(prefix="gemma_eval_page_")


def _close_folder(namespace: Namespace) -> None:
    cast("tempfile.TemporaryDirectory[str]", namespace.pop(FOLDER)).cleanup()


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
    keys = set(tomllib.loads(block.source))
    path = _saved(block, "block.toml")
    if keys & {"suite", "defaults", "case", "retrieval"}:
        run.load_suite(path, plugins.load())
    elif "model" in keys:
        models.load(path)
    elif keys == {"tool"}:
        known = set(re.findall(r"gemma_\w+", _plugin_source()))
        given = set(tomllib.loads(block.source)["tool"]["pytest"]["ini_options"])
        assert given <= known, f"unknown settings: {sorted(given - known)}"
    else:
        raise AssertionError(f"neither a suite, a models file nor pytest settings: top-level keys {sorted(keys)}")


def _json(block: Block) -> None:
    """Load a profiles file."""
    assert "profiles" in json.loads(block.source), "a json block of the documentation is a profiles file"
    profiles.load(_saved(block, "profiles.json"))


def _jinja(block: Block) -> None:
    """Render a template with two passages and without any."""
    template = Template(name="block", text=block.source.rstrip("\n"))
    for passages in ((), PASSAGES):
        prompt = build(
            _cell(template), passages=passages, chat_template=None, count_tokens=lambda text: len(text.split())
        )
        assert QUESTION in prompt.messages[-1].content


def _sql(block: Block) -> None:
    """Query the database that an earlier command of the page has written; a query that finds nothing fails."""
    with contextlib.closing(sqlite3.connect(f"file:{DATABASE}?mode=ro", uri=True)) as database:
        assert database.execute(block.source).fetchall(), "the query finds nothing"


def _commands(block: Block) -> None:
    """Run each line, or each line that begins with `$ `; lines below it are its output, `...` matching anything."""
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


def _saved(block: Block, default: str) -> Path:
    path = block.folder / (block.file_name or default)
    path.write_text(block.source, encoding="utf-8")
    return path


def _plugin_source() -> str:
    return Path(cast(str, __import__("_gemma_eval_pytest").__file__)).read_text(encoding="utf-8")


QUESTION = "Where does Finn live?"
PASSAGES = tuple(
    Passage(id=str(rank), text=text, document="people.md", score=1.0 / rank, rank=rank)
    for rank, text in enumerate(("Finn lives in Oslo.", "Ada lives in Rome."), start=1)
)


def _cell(template: Template) -> Cell:
    """Return a cell that asks about two documents after one earlier turn."""
    turns = (("user", "Who owns a cat?"), ("assistant", "Mia"), ("user", QUESTION))
    case = Case(
        id="block",
        kind="quality",
        messages=tuple(Message(role=role, content=text) for role, text in turns),  # type: ignore[arg-type]
        documents=(CaseDocument(name="people.md", text="- Finn lives in Oslo.\n- Ada lives in Rome."),),
        models=("block",),
        profiles=("greedy",),
        templates=("block",),
        source=Source(path="block", line=1),
    )
    return Cell(
        suite="block",
        case=case,
        model=ModelSpec(name="block", backend="scripted", location=""),
        profile=SamplingProfile(name="greedy", temperature=0.0),
        template=template,
        retrieval=Retrieval(),
        seed=0,
    )


EVALUATORS: dict[str, Callable[[Block], None]] = {
    "python": _python,
    "pycon": _console_session,
    "toml": _toml,
    "json": _json,
    "jinja": _jinja,
    "sql": _sql,
    "console": _commands,
    "bash": _commands,
    "text": _text,
}
