"""Prompt templates, from a folder: `NAME.md` with front matter, `NAME.jinja` without."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from gemma_eval.config import front_matter
from gemma_eval.config.files import read_text
from gemma_eval.config.template_parts import SUFFIXES, Parts
from gemma_eval.errors import ConfigError, Problem
from gemma_eval.files import rows
from gemma_eval.files.read import stands, unlistable
from gemma_eval.records import Template

PART = "_"
"""A file whose name begins so is only a part of templates, as every file of a subfolder is."""
_NO_TEMPLATES = frozenset({"readme.md"})


def load(folder: Path) -> dict[str, Template]:
    """Return the templates of a folder by name, none when there is no folder. Raises ConfigError."""
    if stands(folder) and (what := unlistable(folder)):
        raise ConfigError([Problem(path=folder, line=0, what=what)])
    found: dict[str, Template] = {}
    parts = Parts(folder)
    problems = parts.problems
    for path in paths(folder):
        name = path.stem
        if flaw := rows.name_flaw(name):
            problems.append(Problem(path=path, line=0, what=f"the name of the file {flaw}"))
            continue
        if name in found:
            what = f"there is {name}.jinja as well, and both are the template {rows.show(name)}; keep one"
            problems.append(Problem(path=path, line=0, what=what))
            continue
        try:
            found[name] = _whole(path, parts)
        except ConfigError as error:
            problems.extend(error.problems)
    if problems:
        raise ConfigError(problems)
    return found


def parse(text: str, *, path: Path) -> Template:
    """Return the template of a text that is, or is to be, at `path`, without parts. Raises ConfigError."""
    if path.suffix == ".md":
        return front_matter.parse(text, path=path, name=path.stem)
    return Template(name=path.stem, text=text)


def read(path: Path) -> Template:
    """Return the template of one file with its parts, whatever else its folder has. Raises ConfigError."""
    parts = Parts(path.parent)
    made = _whole(path, parts)
    if parts.problems:
        raise ConfigError(parts.problems)
    return made


def _whole(path: Path, parts: Parts) -> Template:
    return parts.of(parse(read_text(path), path=path), path=path)


def path_of(folder: Path, name: str) -> Path:
    """Return the file of a template in a folder: the one that there is, or the one to make."""
    other = folder / f"{name}.jinja"
    return other if other.exists() else folder / f"{name}.md"


def paths(folder: Path) -> Iterator[Path]:
    """Yield the files of a folder that are templates by themselves, in the order of their names."""
    found = (path for path in folder.glob("*") if path.suffix in SUFFIXES)
    for path in sorted(found, key=lambda path: (path.stem, path.suffix)):
        if not path.name.startswith((PART, ".")) and path.name.lower() not in _NO_TEMPLATES:
            yield path
