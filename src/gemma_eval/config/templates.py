"""Prompt templates, from a folder of `.jinja` files; the name of a template is that of its file."""

from __future__ import annotations

from pathlib import Path

from gemma_eval.config.files import read_text
from gemma_eval.errors import ConfigError, Problem
from gemma_eval.files import rows
from gemma_eval.records import Template

SUFFIX = ".jinja"


def load(folder: Path) -> dict[str, Template]:
    """Return the templates of a folder by name, none when there is no folder. Raises ConfigError."""
    found: dict[str, Template] = {}
    problems: list[Problem] = []
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        name = path.name.removesuffix(SUFFIX)
        if flaw := rows.name_flaw(name):
            problems.append(Problem(path=path, line=0, what=f"the name of the file {flaw}"))
            continue
        try:
            found[name] = Template(name=name, text=read_text(path))
        except ConfigError as error:
            problems.extend(error.problems)
    if problems:
        raise ConfigError(problems)
    return found
