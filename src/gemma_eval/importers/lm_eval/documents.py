"""Find the rows of a task: those that are asked, and those that examples are drawn from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from gemma_eval.errors import UsageError, suggestion
from gemma_eval.files import read
from gemma_eval.files.rows import show
from gemma_eval.importers import data
from gemma_eval.importers.data import Columns, Row
from gemma_eval.importers.lm_eval.task import TaskRow
from gemma_eval.importers.sheet import Sheet

LOCAL = ("json", "csv", "parquet")
"""What `dataset_path` names when the rows are in files beside the task."""
ASKED = ""
"""Stands for the split that is asked, where a person gave a file without naming one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Documents:
    """The rows that are asked, the file that they are from, and the pool of examples."""

    asked: tuple[Row, ...]
    path: Path
    pool: tuple[Columns, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns of a row."""
        return tuple(self.asked[0].columns) if self.asked else ()


def find(sheet: Sheet, task: TaskRow, *, given: Mapping[str, Path], n_shots: int, root: Path) -> Documents:
    """Return the rows of a task from the files `given` by split, or from those that it names itself.

    What is missing is noted in the sheet, with the option that helps.
    """
    _check_splits(task, given)
    files = _Files(sheet, task, given=given, root=root)
    split = task.test_split or task.validation_split
    if split is None:
        sheet.say((), "names neither test_split nor validation_split, so that nothing is asked")
        return Documents(asked=(), path=sheet.path)
    path = files.path(split, asked=True)
    if path is None:
        sheet.say(("dataset_path",) if task.dataset_path else (), files.hint(split, "the questions"))
        return Documents(asked=(), path=sheet.path)
    asked = files.rows(path)
    pool = _pool(sheet, task, files, asked=(split, path)) if n_shots else ()
    return Documents(asked=asked, path=path, pool=tuple(pool))


def examples_split(task: TaskRow) -> str | None:
    """Return the split that a task itself says its examples are from."""
    own = task.fewshot_config.split if task.fewshot_config else None
    return own or task.fewshot_split


def _check_splits(task: TaskRow, given: Mapping[str, Path]) -> None:
    """Raise UsageError for a file of a split that the task has not."""
    own = (task.test_split, task.validation_split, task.training_split, examples_split(task))
    known = {split for split in own if split}
    for split in given.keys() - known - {ASKED}:
        raise UsageError(
            f"--data {split}={given[split]}: the task has no split {show(split)}{suggestion(split, known)}"
        )


def _pool(sheet: Sheet, task: TaskRow, files: _Files, *, asked: tuple[str, Path]) -> Sequence[Columns]:
    own = task.fewshot_config
    split = examples_split(task)
    if split is None and own is not None and own.samples is not None:
        return cast("list[Columns]", own.samples)
    split = split or task.training_split or task.validation_split or task.test_split
    assert split is not None  # noqa: S101 - one of the last two is what is asked
    path = files.path(split, asked=split == asked[0])
    if path is None:
        key = "num_fewshot" if task.num_fewshot else "fewshot_config"
        sheet.say((key,), files.hint(split, "its examples"))
        return ()
    return [row.columns for row in files.rows(path)]


class _Files:
    """The data files of a task by split, each read once."""

    def __init__(self, sheet: Sheet, task: TaskRow, *, given: Mapping[str, Path], root: Path) -> None:
        self._sheet = sheet
        self._given = given
        self._root = root
        self._read: dict[Path, tuple[Row, ...]] = {}
        self._task = task
        kwargs = task.dataset_kwargs
        self._named = cast("dict[str, str]", kwargs.data_files or {}) if kwargs else {}
        self._own = {split: self._inside(split, name) for split, name in self._named.items()}

    def path(self, split: str, *, asked: bool) -> Path | None:
        if split in self._given:
            return self._given[split]
        if asked and ASKED in self._given:
            return self._given[ASKED]
        return self._own.get(split) if self._task.dataset_path in LOCAL else None

    def hint(self, split: str, what: str) -> str:
        source = self._task.dataset_path
        if source in LOCAL:
            known = f"dataset_kwargs: {{data_files: {{{split}: FILE}}}}, or --data {split}=FILE"
            return f"{source} needs the file of the split {show(split)} for {what}; give {known}"
        return (
            f"the rows of {show(source)} are elsewhere, and nothing is fetched; give the file of the split "
            f"{show(split)} for {what}: --data {split}=FILE"
        )

    def rows(self, path: Path) -> tuple[Row, ...]:
        if path not in self._read:
            self._read[path] = ()
            try:
                content = data.read_bytes(path)
                self._sheet.note_source(path, content)
                self._read[path] = data.read(path, content)
            except read.ReadError as error:
                self._sheet.say_of(path, error.line, error.what)
        return self._read[path]

    def _inside(self, split: str, name: str) -> Path | None:
        """Return a file that the task names, which is inside of the folder of the import."""
        folder = self._sheet.places.get(("dataset_kwargs",), (self._sheet.path, 0))[0].parent
        try:
            real = (folder / name).resolve()
            inside = real.is_relative_to(self._root) and not Path(name).is_absolute() and "\0" not in name
        except (OSError, RuntimeError, ValueError):
            inside = False
        if not inside:
            at = ("dataset_kwargs", "data_files", split)
            what = (
                f"data_files {show(name)} is no file inside of {show(str(self._root))}; give it with --data"
            )
            if split not in self._given:
                self._sheet.say(at, what)
            return None
        return real
