"""Files of earlier versions, made into those of today: one pure step from text to text for each version."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from yaml.nodes import CollectionNode

from gemma_eval.config import models, profiles, settings_file, versions
from gemma_eval.files import decode, read, yaml12, yaml_tree

Step = Callable[[str], str]
"""Takes the text of a file of one version and returns that of the next; all else in it stays as it is."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Format:
    """One kind of file: the step at index *v* leads from version *v* to the next.

    `read` returns the table of a text, and `check(text, path)` raises ConfigError for what is not the newest
    version.
    """

    steps: tuple[Step, ...]
    read: Callable[[str], Mapping[str, object]]
    check: Callable[[str, Path], object]

    @property
    def known(self) -> int:
        """The newest version."""
        return len(self.steps)


def version(text: str, form: Format) -> int:
    """Return the version of a text, 0 when it gives none. Raises ReadError: it is none that is known."""
    table = form.read(text)
    found = versions.of(table)
    if found is None or found > form.known:
        raise read.ReadError(versions.flaw(table, known=form.known, written="") or "has no version")
    return found


def migrate(text: str, form: Format) -> str:
    """Return the text of the newest version, the same if it is that already. Raises ReadError."""
    for step in form.steps[version(text, form) :]:
        text = step(text)
    return text


def _version_in_json(text: str) -> str:
    """Give the version as the first member of the object, on a line of its own where the others have one."""
    start = text.index("{") + 1
    rest = text[start:].lstrip()
    space = text[start : len(text) - len(rest)]
    after = space if rest.startswith("}") else f",{space or ' '}"
    return f'{text[:start]}{space}"version": 1{after}{rest}'


def _version_in_toml(text: str) -> str:
    """Give the version on the first line, but for words about the whole file."""
    head = _words_about_all(text)
    return f"{head}version = 1\n\n{text[len(head) :]}".rstrip("\n") + "\n"


def _version_in_yaml(text: str) -> str:
    """Give the version on the first line, but for words about the whole file, or as first in its braces."""
    node, _ = yaml_tree.compose(text, yaml12.DIALECT)
    if node is None:  # all of it is commented out
        return text
    start = node.start_mark.index
    if isinstance(node, CollectionNode) and node.flow_style:
        return f"{text[: start + 1]}version: 1{', ' if node.value else ''}{text[start + 1 :]}"
    begin = text.rfind("---\n", 0, start) + len("---\n") if text.rfind("---\n", 0, start) >= 0 else 0
    head = _words_about_all(text[begin:])
    return f"{text[:begin]}{head}version: 1\n{text[begin + len(head) :]}"


def _words_about_all(text: str) -> str:
    """Return the comments that a text begins with, up to a blank line: those right above a key are its."""
    comments = re.match(r"(?:[ \t]*(?:#.*)?\n)*", text)
    lines = comments[0].splitlines(keepends=True) if comments else []
    while lines and lines[-1].strip():
        lines.pop()
    return "".join(lines)


FORMATS: Mapping[str, Format] = {
    "profiles.json": Format(
        steps=(_version_in_json,),
        read=lambda text: decode.json_table(text)[0],
        check=lambda text, path: profiles.parse(text, path=path),
    ),
    "models.toml": Format(
        steps=(_version_in_toml,),
        read=lambda text: decode.toml(text)[0],
        check=lambda text, path: models.parse(text, path=path),
    ),
    "settings.yaml": Format(
        steps=(_version_in_yaml,),
        read=lambda text: yaml12.parse(text).table,
        check=lambda text, path: settings_file.parse(text, path=path),
    ),
}
"""By the name of the file. The `version` of a template is the template's own, and not that of a format."""
