"""What a block is told to run by the process that started it, whatever its ini file and environment add."""

from __future__ import annotations

import argparse
import json
import os

from gemma_eval.executors.arm import TOLD

_NAMED = ("suite", "model", "profile", "template", "retrieval")


def obey(option: argparse.Namespace) -> None:
    """Put what was told in the place of what options say: the cells, and that all of them are run."""
    told: dict[str, list[str]] = json.loads(os.environ[TOLD])
    for name in _NAMED:
        setattr(option, f"gemma_{name}", told.get(name, []))
    repeats, kind = told.get("repeats"), told.get("kind")
    option.gemma_repeats = int(repeats[-1]) if repeats else None
    option.gemma_kind = kind[-1] if kind else None
    option.keyword = option.markexpr = ""
