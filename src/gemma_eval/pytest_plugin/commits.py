"""A side of a comparison as the files of another commit, laid out in a folder of their own."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from gemma_eval.errors import UsageError
from gemma_eval.executors.arm import Arm


def at(arm: Arm, *, top: Path, worktree: Path, weights: Iterable[str] = ()) -> Arm:
    """Return an arm of the repository `top` as one of the files of another commit, as base.

    Code that is imported from the repository is imported from there. Those of `weights`, locations of models,
    that the commit does not have are lent to it: weights are seldom in git. Raises UsageError.
    """
    for location in weights:
        _lend(Path(location), top=top, worktree=worktree)
    options, whole, timed = (
        tuple(_moved_argument(word, top=top, worktree=worktree) for word in words)
        for words in (arm.options, arm.whole, arm.timed)
    )
    for argument in whole:
        path = Path(argument.partition("=")[2].partition("::")[0])
        if path.is_absolute() and path.is_relative_to(worktree) and not path.exists():
            raise UsageError(f"the base has no {path.relative_to(worktree)}: it is not in that commit")
    places = [
        moved for place in _imported_from() if (moved := _moved(place, top=top, worktree=worktree)) != place
    ]
    code = [str(place) for place in dict.fromkeys(places) if place.is_dir()]
    code += [os.environ["PYTHONPATH"]] if os.environ.get("PYTHONPATH") else []
    folder = _moved(arm.folder, top=top, worktree=worktree)
    return replace(
        arm,
        name="base",
        folder=folder if folder.is_dir() else worktree,
        options=options,
        whole=whole,
        timed=timed,
        pinned=None,
        environment={"PYTHONPATH": os.pathsep.join(code)} if code else {},
    )


def _lend(path: Path, *, top: Path, worktree: Path) -> None:
    """Link a path of the repository into the worktree, where that has none."""
    there = _moved(path, top=top, worktree=worktree)
    if path.is_absolute() and path.exists() and there != path and not there.exists():
        there.parent.mkdir(parents=True, exist_ok=True)
        there.symlink_to(path.resolve(), target_is_directory=path.is_dir())


def _imported_from() -> Iterator[Path]:
    """Yield the folders that modules are imported from: by their path, or by an installed link to them."""
    yield from (Path(entry) for entry in sys.path if entry)
    for name, module in tuple(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if file and "." not in name:
            path = Path(file)
            yield path.parent.parent if path.stem == "__init__" else path.parent


def _moved_argument(argument: str, *, top: Path, worktree: Path) -> str:
    """Return an argument `--option=path::within` with its path in the worktree, if it has one of the top."""
    option, equals, value = argument.partition("=")
    where, separator, within = value.partition("::")
    path = Path(where)
    if not path.is_absolute():
        return argument
    return f"{option}{equals}{_moved(path, top=top, worktree=worktree)}{separator}{within}"


def _moved(path: Path, *, top: Path, worktree: Path) -> Path:
    """Return a path with the worktree in place of the top, also one that leads there by a link."""
    for each in (path, path.resolve()):
        if each.is_relative_to(top):
            return worktree / each.relative_to(top)
    return path
