"""Documents that a suite names, read from its own folder and from nowhere else."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from gemma_eval.files.read import ReadError, decode, read_bytes
from gemma_eval.files.rows import show

_ELSEWHERE = re.compile(r"^[/~]|[\\\x00-\x1f\x7f]|://|^[A-Za-z]:|%(?:2e|2f|5c)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Folder:
    """The folder of a suite; every document is read once and its bytes are kept for the suite's hash.

    Of a file that is not kept whole `sha256_of` has the hash.
    """

    path: Path
    bytes_of: dict[str, bytes] = field(default_factory=dict)
    sha256_of: dict[str, str] = field(default_factory=dict)

    def text(self, name: str) -> str:
        """Return the text of the document at the relative path `name`. Raises ReadError."""
        if name not in self.bytes_of:
            self.bytes_of[name] = read_bytes(self.path_of(name))
        return decode(self.bytes_of[name])

    def digest(self, name: str) -> str:
        """Return the hash of the file or of all texts of the folder at the relative path `name`.

        Raises ReadError.
        """
        if name not in self.sha256_of:
            self.sha256_of[name] = _digest(self.path_of(name))
        return self.sha256_of[name]

    def path_of(self, name: str) -> Path:
        """Return the path of the file at the relative path `name`. Raises ReadError."""
        if _ELSEWHERE.search(name) or ".." in name.split("/"):
            raise ReadError('is not a path inside the folder of the suite, as "docs/people.md"')
        try:
            root = self.path.resolve()
            real = (root / name).resolve()
            exists = real.exists()
        except (OSError, RuntimeError, ValueError) as error:
            raise ReadError("is not a possible path") from error
        if not real.is_relative_to(root):
            raise ReadError("leads out of the folder of the suite by a link; put the file inside")
        if not exists:
            raise ReadError(f"does not exist in {show(str(self.path))}")
        return real


CORPUS_SUFFIXES = (".md", ".txt", ".jsonl")
"""The files of a folder that are a corpus."""


def _digest(path: Path) -> str:
    """Hash a file, or those of a folder with their names. Raises ReadError."""
    try:
        if path.is_file():
            with path.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        whole = hashlib.sha256()
        for each in _texts(path):
            name = os.fsencode(each.relative_to(path).as_posix())  # also one that is not UTF-8
            whole.update(b"\0" + name + f"\0{_digest(each)}".encode())
        return whole.hexdigest()
    except OSError as error:
        raise ReadError(f"cannot be read: {error.strerror or error}") from error


def _texts(folder: Path) -> Iterator[Path]:
    """Yield the texts of a folder and those below it, by name. Raises ReadError when there is none."""
    found = sorted(each for each in folder.rglob("*") if each.suffix in CORPUS_SUFFIXES and each.is_file())
    if not found:
        raise ReadError(f"is a folder without a file of {', '.join(CORPUS_SUFFIXES)}")
    yield from found
