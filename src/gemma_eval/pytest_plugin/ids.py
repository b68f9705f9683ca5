"""Node ids of suites and cells: the one place that makes them and reads them."""

from __future__ import annotations

import re
from pathlib import Path

from gemma_eval.config.shipped import suites_directory
from gemma_eval.records import Cell

_LEAF = re.compile(r"::[^\[\]:]+\[(?P<model>[^\[\]/]+)(?:/[^\[\]/]+){2,3}\]$")


def suite_name(path: Path) -> str:
    """Return the name of a suite file: `suites/standard.toml` and `standard.gemma.toml` are `standard`."""
    return path.name.removesuffix(".toml").removesuffix(".gemma")


def is_elsewhere(path: Path, *, rootdir: Path) -> bool:
    """Whether a suite is not of the project at `rootdir`: it lies outside, or ships with gemma_eval."""
    return path.is_relative_to(suites_directory()) or not path.is_relative_to(rootdir)


def suite_id(path: Path, *, rootdir: Path) -> str:
    """Return the node id of a suite: its path below `rootdir`, or `@name` when it lies elsewhere."""
    if is_elsewhere(path, rootdir=rootdir):
        return f"@{suite_name(path)}"
    return path.relative_to(rootdir).as_posix()


def cell_id(suite: str, cell: Cell) -> str:
    """Return the node id of a cell in the suite whose node id is `suite`.

    pytest would take the brackets of a name for parameters of a function and then not find the item
    again (`--lf`), therefore the id is given as a whole.
    """
    return f"{suite}::{cell.label}"


def model_of(nodeid: str) -> str | None:
    """Return the model that a node id names, `None` when it is not the id of a cell."""
    found = _LEAF.search(nodeid)
    return found["model"] if found else None
