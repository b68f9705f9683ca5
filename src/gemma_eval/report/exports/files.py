"""The files of an export: all of them made before any is written, and none written over unasked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gemma_eval.errors import UsageError
from gemma_eval.files.writing import WriteError
from gemma_eval.files.writing import write as write_file

Existing = Literal["refuse", "replace"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ExportedFile:
    """A file of an export: where it stands below the folder of the export, with `/`, and its bytes."""

    path: str
    data: bytes


def text_file(path: str, text: str) -> ExportedFile:
    """Return a file of UTF-8; what UTF-8 cannot hold is written as `\\udc80`, which JSON reads as it was."""
    return ExportedFile(path=path, data=text.encode("utf-8", "backslashreplace"))


def write(files: Sequence[ExportedFile], *, folder: Path, existing: Existing = "refuse") -> tuple[Path, ...]:
    """Write the files below `folder`, each in one step, and return where they are.

    Raises UsageError when one cannot be written, or is there already and is not to be replaced; in the latter
    case nothing is written.
    """
    paths = tuple(folder / file.path for file in files)
    there = [path for path in paths if path.exists()]
    if there and existing == "refuse":
        more = f" and {len(there) - 1} more" if len(there) > 1 else ""
        raise UsageError(
            f"{there[0]}{more}: exists already; name another folder with --out, or add --replace"
        )
    try:
        for path, file in zip(paths, files, strict=True):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_file(path, file.data, durable=False)
    except WriteError as error:
        what = f"cannot write the export: {error.reason}; choose a folder that can be written"
        raise UsageError(f"{path}: {what}") from error
    except OSError as error:
        what = f"cannot write the export: {error.strerror}; choose a folder that can be written"
        raise UsageError(f"{error.filename or folder}: {what}") from error
    return paths
