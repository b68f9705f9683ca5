"""Bring an earlier version of a file back, and keep what was found in its place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from gemma_eval.config import backups as versions
from gemma_eval.config import changing, recovery
from gemma_eval.config.backups import Backup
from gemma_eval.config.files import decoded, parse_table, read_bytes
from gemma_eval.config.migrations import FORMATS
from gemma_eval.errors import ConfigError, UnknownName, UsageError
from gemma_eval.files.read import exists

Parse = Callable[[str], object]


@dataclass(frozen=True, kw_only=True, slots=True)
class Restoring:
    """What would be brought back to a file, `data` of a version, and what was `found`: `None` for no file.

    `flaw` says what is wrong with that, and is `None` where it can be read.
    """

    path: Path
    version: Backup
    data: bytes
    found: bytes | None
    flaw: str | None

    def diff(self) -> str:
        """Return the lines that would differ; bytes that are no text are shown as `\\xff`."""
        before, after = (
            data.decode(errors="backslashreplace").replace("\r\n", "\n")
            for data in (self.found or b"", self.data)
        )
        return changing.Change(path=self.path, before=before, after=after).diff()


@dataclass(frozen=True, kw_only=True, slots=True)
class Kept:
    """A version of a file, and what is wrong with it, `None` when it can be brought back."""

    backup: Backup
    flaw: str | None


def parser_of(path: Path) -> Parse:
    """Return what reads the text of a file, by its name; a suite is only looked at for whether it is TOML.

    Raises UsageError for a file that no command changes.
    """
    if path.name in FORMATS:
        return lambda text: FORMATS[path.name].check(text, path)
    if path.suffix not in (".json", ".toml"):
        raise UsageError(f"{path}: no versions are kept of it, but of {', '.join(FORMATS)} and suites")
    return lambda text: parse_table(text, path=path)


def kept(path: Path) -> tuple[Kept, ...]:
    """Return all versions of a file, the newest first. Raises UsageError."""
    parse = parser_of(path)
    return tuple(Kept(backup=each, flaw=_flaw(each.path, parse)) for each in versions.listed(path))


def plan(path: Path, *, version: str | None = None) -> Restoring:
    """Return what would be brought back: the newest version that can be read and is not in the file already.

    `version` is the name of another one. Raises UsageError, ConfigError.
    """
    changing.refuse_shipped(path)
    parse = parser_of(path)
    with changing.said(path):
        found = path.read_bytes() if exists(path, "file") else None
    readable = [each.backup for each in kept(path) if each.flaw is None]
    chosen = _newest_other(path, readable, found) if version is None else _named(path, version, readable)
    return Restoring(
        path=path,
        version=chosen,
        data=chosen.path.read_bytes(),
        found=found,
        flaw=None if found is None else _flaw(path, parse),
    )


def restore(planned: Restoring, *, backups: int = changing.BACKUPS) -> Path | None:
    """Write what was planned, and return where what was found is kept, `None` where nothing was.

    A file that was changed since it was planned is left alone. Raises ConfigError.
    """
    path = planned.path
    with changing.locked(path), changing.said(path):
        is_damaged = planned.flaw is not None
        return changing.replace(path, planned.found, planned.data, backups=backups, is_damaged=is_damaged)


def _newest_other(path: Path, readable: Sequence[Backup], found: bytes | None) -> Backup:
    for each in readable:
        if each.path.read_bytes() != found:
            return each
    if readable:
        raise UsageError(f"{path}: is as its only version that can be read; there is nothing to bring back")
    raise UsageError(f"{path}: no version of it is kept that can be read; there is nothing to bring back")


def _named(path: Path, version: str, readable: Sequence[Backup]) -> Backup:
    names = {each.path.name: each for each in readable}
    if version in names:
        return names[version]
    known = {each.path.name: each for each in versions.listed(path)}
    if version in known:
        raise UsageError(f"{known[version].path}: cannot be read; gemma-eval config restore --list says why")
    raise UnknownName("version", version, names)


def _flaw(path: Path, parse: Parse) -> str | None:
    """Say what is wrong with a file, by its first problem; `None` when it can be read."""
    wrong: ConfigError | None = None
    try:
        parse(decoded(read_bytes(path), path=path))
    except ConfigError as error:
        wrong = error
    if (damage := recovery.damage_of(path, path.read_bytes(), wrong)) is not None:
        return damage.what
    return None if wrong is None else wrong.problems[0].what
