"""Write what was imported: suite, rows and profiles, all of them or none, the same bytes each time."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import tomli_w

from gemma_eval.errors import UsageError
from gemma_eval.files.rows import show
from gemma_eval.files.writing import WriteError, replacing
from gemma_eval.importers import data
from gemma_eval.importers.data import Columns, Plain

LARGEST_SUITE = 1 << 20
"""Bytes of a suite file that can be read again."""
PROFILES = "profiles.json"

Table = dict[str, object]


@dataclass(frozen=True, kw_only=True, slots=True)
class Imported:
    """A suite that was read from files of another framework: its TOML, its rows, its profiles.

    `sources` are the SHA-256 of what was read by file name, `notes` what a reader of the suite has to know,
    and `rows` the data by the path that the suite names it with.
    """

    name: str
    framework: str
    suite: Mapping[str, object]
    rows: Mapping[str, Sequence[Columns]] = field(default_factory=dict)
    profiles: Mapping[str, Mapping[str, Plain]] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """What a person chooses for an imported suite: the models that answer, and its name."""

    models: tuple[str, ...] = ("pocket",)
    name: str | None = None


def write(imported: Imported, folder: Path, *, replaces: bool) -> tuple[Path, ...]:
    """Write the files of an import into `folder`, and return their paths.

    Raises UsageError when one exists (unless it `replaces` them), and when nothing can be written there.
    """
    contents = {
        folder / f"{imported.name}.toml": toml(imported),
        **{folder / path: data.lines(rows) for path, rows in imported.rows.items()},
    }
    taken = [path for path in contents if path.exists() or path.is_symlink()]
    if taken and not replaces:
        one = "; ".join(str(path) for path in taken)
        raise UsageError(f"{one}: exists; give another folder with --out, or --replace to replace it")
    if odd := [path for path in taken if path.is_symlink() or not path.is_file()]:
        raise UsageError(f"{odd[0]}: is no ordinary file, and is not replaced")
    if imported.profiles:
        path = folder / PROFILES
        contents[path] = _profiles(path, imported.profiles, replaces=replaces)
    _write_all(contents)
    return tuple(contents)


def toml(imported: Imported) -> bytes:
    """Return the bytes of the suite file. Raises UsageError when they are more than a suite may have."""
    head = [f"# Imported from {imported.framework} by gemma-eval import: {', '.join(imported.sources)}"]
    head += [f"# sha256 {digest}  {name}" for name, digest in imported.sources.items()]
    head += [f"# {line}" for note in imported.notes for line in _wrapped(note)]
    multiline = not _has_returns(imported.suite)
    body = tomli_w.dumps(imported.suite, multiline_strings=multiline, indent=2)
    whole = "".join(f"{_commented(line)}\n" for line in head).encode() + b"\n" + body.encode()
    if len(whole) > LARGEST_SUITE:
        raise UsageError(
            f"{imported.name}.toml would have {len(whole):,} bytes, and a suite has at most {LARGEST_SUITE:,}"
        )
    return whole


def slug(text: str, *, default: str = "imported") -> str:
    """Return a text as a name: letters, digits and _ . + -, at most 80 of them."""
    return re.sub(r"[^A-Za-z0-9_.+-]+", "-", text).strip("-.")[:80] or default


def _profiles(path: Path, wanted: Mapping[str, Mapping[str, Plain]], *, replaces: bool) -> bytes:
    """Return a profiles file with what is wanted beside what is there."""
    found: object = {}
    if path.exists():
        try:
            found = json.loads(path.read_bytes())
        except (OSError, ValueError, RecursionError) as error:
            raise UsageError(f"{path}: cannot be read as JSON, and is not replaced: {error}") from error
    table = found if isinstance(found, dict) else {}
    known = cast("dict[str, Plain]", table.get("profiles") or {})
    if found and not (table.get("version") == 1 and isinstance(known, dict)):
        raise UsageError(f'{path}: is not a profiles file of "version": 1, and is not replaced')
    for name, profile in wanted.items():
        if name in known and known[name] != profile and not replaces:
            what = (
                f"has another profile {show(name)}; give another folder as --out, or --replace to replace it"
            )
            raise UsageError(f"{path}: {what}")
    merged = {"version": 1, "profiles": {**known, **wanted}}
    return (json.dumps(merged, ensure_ascii=False, indent=2) + "\n").encode()


def _write_all(contents: Mapping[Path, bytes]) -> None:
    """Write every file under another name first, so that a full disk leaves nothing half."""
    path = next(iter(contents))
    try:
        with ExitStack() as stack:
            for path, content in contents.items():
                path.parent.mkdir(parents=True, exist_ok=True)
                file = stack.enter_context(replacing(path))
                file.write(content)
                file.flush()
    except WriteError as error:
        raise UsageError(f"{path}: {error.what}") from error
    except OSError as error:
        where = error.filename or path.parent
        raise UsageError(f"{where}: cannot be written: {error.strerror or error}") from error


def _has_returns(value: object) -> bool:
    """Whether a text has a carriage return, which a text of several lines would lose."""
    if isinstance(value, Mapping):
        return any(map(_has_returns, value.values()))
    if isinstance(value, list):
        return any(map(_has_returns, value))
    return isinstance(value, str) and "\r" in value


def _commented(line: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in line)


def _wrapped(note: str) -> list[str]:
    lines, line = [], ""
    for word in note.split():
        if line and len(line) + len(word) > 100:
            lines.append(line)
            line = ""
        line = f"{line} {word}".strip()
    return [*lines, line]
