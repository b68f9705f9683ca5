"""Plugins that are installed in a folder, and `gemma-eval` run as a person runs it where they are."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def install(folder: Path, name: str, source: str, *, version: str = "1.2") -> None:
    """Put a distribution with a plugin where Python finds it, as pip would."""
    module = name.replace("-", "_")
    (folder / f"{module}.py").write_text(source)
    information = folder / f"{module}-{version}.dist-info"
    information.mkdir()
    (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (information / "entry_points.txt").write_text(f"[gemma_eval]\n{name} = {module}\n")


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run `gemma-eval` where the plugins of a folder are installed."""
    return subprocess.run(
        [sys.executable, "-m", "gemma_eval", *words],
        env=environment(folder),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def environment(folder: Path) -> dict[str, str]:
    """Return an environment in which the plugins of a folder are found."""
    return {**os.environ, "PYTHONPATH": str(folder), "NO_COLOR": "1", "COLUMNS": "80"}
