"""What is installed here: versions, extras, plugins, and whether what was configured can be read."""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from gemma_eval import __version__
from gemma_eval.cli import chosen
from gemma_eval.cli.doctor_findings import Finding
from gemma_eval.hookspecs import PROJECT

_OLDEST_PYTHON = (3, 11)
_FOR_DEVELOPERS = ("dev", "test", "train")
_EXTRA = re.compile(r"""extra\s*==\s*['"](?P<name>[\w-]+)['"]""")


def python() -> Iterator[Finding]:
    """Say which Python runs, and where."""
    told = f"{platform.python_implementation()} {platform.python_version()} at {sys.executable}"
    if sys.version_info < _OLDEST_PYTHON:
        yield Finding(what="Python", told=told, state="FAIL", advice="install Python 3.11 or newer")
    else:
        yield Finding(what="Python", told=told)


def packages() -> Iterator[Finding]:
    """Say which versions of what it is made of are installed, and what is missing or too old."""
    wrong = [line for line, extra in _requirements() if not extra and not _is_met(line)]
    if wrong:
        advice = f"pip install {' '.join(repr(line) for line in wrong)}"
        yield Finding(what="gemma_eval", told=f"lacks {', '.join(wrong)}", state="FAIL", advice=advice)
        return
    shown = ", ".join(f"{name} {version(name)}" for name in ("pytest", "numpy", "scipy", "pydantic"))
    yield Finding(what="gemma_eval", told=f"{__version__} with {shown}")


def blas() -> Iterator[Finding]:
    """Say which library multiplies NumPy's matrices, and with how many threads."""
    import numpy as np  # noqa: F401 - its library is found when it is loaded
    from threadpoolctl import threadpool_info

    pools = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    if not pools:
        told, advice = "no library is known to threadpoolctl", "the threads that compute cannot be set"
        yield Finding(what="BLAS", told=told, state="note", advice=advice)
    for pool in pools:
        named = " ".join(
            str(pool[key]) for key in ("internal_api", "version", "architecture") if pool.get(key)
        )
        yield Finding(what="BLAS", told=f"{named}, {pool['num_threads']} threads")


def extras() -> Iterator[Finding]:
    """Say of each extra what is installed of it, and how it is installed."""
    by_extra: dict[str, list[str]] = {}
    for line, extra in _requirements():
        if extra and extra not in _FOR_DEVELOPERS:
            by_extra.setdefault(extra, []).append(line)
    for extra, lines in sorted(by_extra.items()):
        lacks = [_name(line) for line in lines if not _is_met(line)]
        if lacks:
            advice = f'pip install "gemma_eval[{extra}]"'
            told = f"without {', '.join(lacks)}"
            yield Finding(what=f"extra {extra}", told=told, state="note", advice=advice)
        else:
            told = ", ".join(f"{_name(line)} {version(_name(line))}" for line in lines)
            yield Finding(what=f"extra {extra}", told=told)


def embedder() -> Iterator[Finding]:
    """Say whether the embedder that the shipped suites use is there."""
    from gemma_eval.backends.model_files import MINILM, lacking

    if lacks := lacking(MINILM):
        advice = lacks.rpartition(": ")[2]
        yield Finding(what="embedder", told="no all-MiniLM-L6-v2", state="note", advice=advice)
    else:
        yield Finding(what="embedder", told="all-MiniLM-L6-v2 is installed")


def plugins() -> Iterator[Finding]:
    """Say which plugins are installed, and which of them is broken."""
    from gemma_eval.cli.plugins_known import installed

    found = installed()
    if not found:
        yield Finding(what="plugins", told="none is installed")
    for plugin in found:
        if plugin.broken:
            told, advice = f"cannot be loaded: {plugin.broken}", f"pip uninstall {plugin.distribution}"
            yield Finding(what=plugin.distribution, told=told, state="FAIL", advice=advice)
        else:
            count = sum(len(names) for names in plugin.registered.values())
            yield Finding(what=plugin.distribution, told=f"{plugin.version}, registers {count}")


def configuration() -> Iterator[Finding]:
    """Say whether profiles, models, templates and settings can be read, and where they lie."""
    from gemma_eval.config import settings, validation

    folders = dict.fromkeys((*(place.folder for place in chosen.places()), Path.cwd()))
    files = [file for folder in folders for file in validation.files(folder)]
    problems = [problem for file in files for problem in validation.check(file)]
    problems += validation.check_environment(os.environ)
    for problem in problems:
        advice = "mend it; gemma-eval config validate looks again"
        yield Finding(what="config", told=str(problem), state="FAIL", advice=advice)
    if problems:
        return
    found, chosen_once = chosen.catalog(), settings.load(chosen.places(), environment=os.environ)
    notices = [*found.notices, *chosen_once.notices]
    notices += map(str, validation.check_names(chosen_once, found))
    counts = f"{len(found.models)} models, {len(found.profiles)} profiles, {len(found.templates)} templates"
    yield Finding(what="config", told=f"{counts} can be read")
    yield from (Finding(what="config", told=notice, state="note") for notice in notices)


def _requirements() -> Iterator[tuple[str, str]]:
    """Yield what gemma_eval asks for as pip writes it, with the extra that asks, "" for none."""
    for line in requires(PROJECT) or ():
        requirement, _, condition = line.partition(";")
        found = _EXTRA.search(condition)
        if _name(requirement) != PROJECT:
            yield requirement.strip(), found["name"] if found else ""


def _name(requirement: str) -> str:
    found = re.match(r"[\w.-]+", requirement)
    return found.group() if found else requirement


def _is_met(line: str) -> bool:
    from packaging.requirements import Requirement

    asked = Requirement(line)
    try:
        return asked.specifier.contains(version(asked.name), prereleases=True)
    except PackageNotFoundError:
        return False
