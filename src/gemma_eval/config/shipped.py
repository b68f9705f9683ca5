"""Where the shipped suites are, and which file a suite's name means."""

from __future__ import annotations

from pathlib import Path

from gemma_eval.errors import UnknownName, UsageError
from gemma_eval.files import read

SUFFIX = ".toml"
_NOT_SUITES = frozenset({"judge_calibration.toml", "models.toml", "pyproject.toml"})


def suites_directory() -> Path:
    """Return the folder of the shipped suites: `gemma_eval/suites` when installed, `suites` in a checkout."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "suites"
    return installed if installed.is_dir() else package.parents[1] / "suites"


def suite_names() -> tuple[str, ...]:
    """Return the names of the shipped suites."""
    return _suites_in(suites_directory())


def suite_path(name_or_path: str, *, folder: Path) -> Path:
    """Return the file of a suite: a path relative to `folder`, or the name of a shipped suite.

    What ends in `.toml` or has a slash is a path. Raises UnknownName when there is no such suite.
    """
    if "\0" in name_or_path or not name_or_path.strip():
        raise UsageError("the name of a suite is empty or has a zero byte; give a name or a path")
    if name_or_path.endswith(SUFFIX) or "/" in name_or_path:
        path = folder / read.expanded(name_or_path)
        if read.exists(path, "folder"):
            raise UsageError("this is a folder; give the path of a suite in it")
        if not read.exists(path, "file"):
            given = Path(name_or_path).parent
            raise UnknownName(
                "suite", name_or_path, (str(given / near.name) for near in _files_in(path.parent))
            )
        return path
    if name_or_path not in suite_names():
        raise UnknownName("suite", name_or_path, suite_names())
    return suites_directory() / f"{name_or_path}{SUFFIX}"


def _suites_in(folder: Path) -> tuple[str, ...]:
    return tuple(path.name.removesuffix(SUFFIX) for path in _files_in(folder))


def _files_in(folder: Path) -> list[Path]:
    files = (path for path in folder.glob(f"*{SUFFIX}") if path.is_file())
    return sorted(path for path in files if path.name not in _NOT_SUITES)
