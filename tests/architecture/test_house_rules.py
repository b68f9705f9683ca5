"""The rules of the house that no linter knows."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src"
MODULES = sorted(SOURCE.rglob("*.py"))
LONGEST_MODULE = 300
LONGEST_FUNCTION = 60
BANNED_NAMES = ("manager", "helper", "handler", "factory", "util", "utils")


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef]:
    """Yield every function of a module."""
    yield from (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


def too_long(source: str) -> list[str]:
    """Return the names of functions that are longer than a screen."""
    return [
        function.name
        for function in functions(ast.parse(source))
        if (function.end_lineno or function.lineno) - function.lineno + 1 > LONGEST_FUNCTION
    ]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_module_is_one_concept_that_fits_in_a_sitting(path: Path) -> None:
    """A module opens with one sentence, and is at most 300 lines of functions at most a screen long."""
    text = path.read_text()
    docstring = ast.get_docstring(ast.parse(text))
    assert docstring, "a module says in one sentence what it is"
    assert docstring.splitlines()[0].endswith((".", ":")), "the first line of the docstring is a sentence"
    assert len(text.splitlines()) <= LONGEST_MODULE
    assert too_long(text) == []


def test_a_function_that_is_too_long_is_found() -> None:
    """The check above can fail."""
    body = "\n".join("    x = 1" for _ in range(LONGEST_FUNCTION))
    assert too_long(f"def long():\n{body}\n") == ["long"]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_classes_and_modules_are_named_for_what_they_are(path: Path) -> None:
    """No Manager, Helper, Handler, Factory or Util; factories are the plugin contract's word."""
    assert path.stem not in BANNED_NAMES
    if path.parent.name == "protocols":
        return
    classes = [node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ClassDef)]
    assert [name for name in classes if name.lower().endswith(BANNED_NAMES)] == []


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_no_parameter_is_a_boolean_flag_by_position(path: Path) -> None:
    """A boolean is given by keyword, so that a call can be read."""
    for function in functions(ast.parse(path.read_text())):
        for argument in function.args.args:
            annotation = argument.annotation
            assert not (isinstance(annotation, ast.Name) and annotation.id == "bool"), function.name
