"""What was asked of comparing and gating on the command line and in the ini file."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast, get_args

import pytest

from gemma_eval.errors import suggestion
from gemma_eval.executors.arm import INSIDE
from gemma_eval.gating.files import Format

Mode = Literal["enforce", "report", "off"]
Inconclusive = Literal["warn", "pass", "fail"]

GATES = "gemma-gates.toml"
ACCEPTED = "gemma-accepted.toml"


@dataclass(frozen=True, kw_only=True, slots=True)
class GateSettings:
    """The options of gating; `gates` is `None` where there is no file of gates."""

    ab: str | None
    baseline: str | None
    blocks: int | None
    mode: Mode
    inconclusive: Inconclusive
    extended: bool
    gates: Path | None
    accepted: Path | None
    files: tuple[tuple[Format, Path], ...]


def read(config: pytest.Config) -> GateSettings:
    """Read the settings; in the process of a block nothing is gated. Raises pytest.UsageError."""
    configured = cast(str, config.getini("gemma_accepted"))
    accepted = config.rootpath / configured if configured else _usual(config, ACCEPTED)
    if INSIDE in os.environ:
        return GateSettings(
            ab=None,
            baseline=None,
            blocks=None,
            mode="off",
            inconclusive="warn",
            extended=False,
            gates=None,
            accepted=accepted,
            files=(),
        )
    ab = cast(str | None, config.getoption("gemma_ab"))
    baseline = cast(str | None, config.getoption("gemma_baseline"))
    blocks = cast(int | None, config.getoption("gemma_blocks"))
    if ab and baseline:
        raise pytest.UsageError("--gemma-ab measures its own base; leave out --gemma-baseline")
    if blocks is not None and blocks < 1:
        raise pytest.UsageError(f"--gemma-blocks {blocks}: must be at least 1")
    _refuse_what_blocks_cannot(config, ab=ab, blocks=blocks)
    return GateSettings(
        ab=ab,
        baseline=baseline,
        blocks=blocks,
        mode=cast(Mode, config.getoption("gemma_gate")),
        inconclusive=cast(Inconclusive, config.getoption("gemma_inconclusive")),
        extended=config.getoption("gemma_exit_codes") == "extended",
        gates=_gates(config),
        accepted=accepted,
        files=tuple(_file(config, given) for given in config.getoption("gemma_gate_report")),
    )


def _refuse_what_blocks_cannot(config: pytest.Config, *, ab: str | None, blocks: int | None) -> None:
    asked = "--gemma-ab" if ab else "--gemma-blocks" if blocks else None
    if asked is None:
        return
    if config.getoption("gemma_resume"):
        raise pytest.UsageError(
            f"{asked} cannot go on with a run: its blocks belong together; begin a new one"
        )
    workers = config.getoption("numprocesses", None) or config.getoption("tx", None)
    if config.pluginmanager.hasplugin("xdist") and workers:
        raise pytest.UsageError(f"{asked} needs the machine for one engine at a time; leave out -n")


def _gates(config: pytest.Config) -> Path | None:
    given = cast(str | None, config.getoption("gemma_gates"))
    if given:
        return config.invocation_params.dir / given
    configured = cast(str, config.getini("gemma_gates"))
    if configured:
        return config.rootpath / configured
    return _usual(config, GATES)


def _usual(config: pytest.Config, name: str) -> Path | None:
    """Return the file of that name in the root folder, or where pytest was started, if there is one.

    Without an ini file pytest takes a root folder by its arguments, which may not be where it was started.
    """
    places = (config.rootpath / name, config.invocation_params.dir / name)
    return next((path for path in places if path.exists()), None)


def _file(config: pytest.Config, given: str) -> tuple[Format, Path]:
    name, separator, path = given.partition(":")
    known = get_args(Format)
    if name not in known:
        near = suggestion(name, known)
        raise pytest.UsageError(f'--gemma-gate-report {given}: no format named "{name}"{near}')
    if not separator or not path:
        raise pytest.UsageError(
            f"--gemma-gate-report {given}: say where to, as {name}:verdicts.{_ENDING[name]}"
        )
    target = config.invocation_params.dir / path
    nearest = next(folder for folder in target.parents if folder.exists())
    if target.is_dir() or not nearest.is_dir():
        what = f"{target} is a folder" if target.is_dir() else f"{nearest} is a file"
        raise pytest.UsageError(f"--gemma-gate-report {given}: cannot be written there: {what}")
    return cast(Format, name), target


_ENDING = {"github": "md", "sarif": "sarif", "json": "json", "bencher": "json", "pytest-benchmark": "json"}
