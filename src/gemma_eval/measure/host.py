"""The machine and the code that a run was made with."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

from gemma_eval.records import Host

PACKAGES = ("gemma_eval", "numpy", "scipy", "pytest", "tokenizers")
"""The packages whose versions decide results or speed."""


def describe(*, cpuinfo: Path = Path("/proc/cpuinfo"), packages: Sequence[str] = PACKAGES) -> Host:
    """Return the host that this process runs on; `cpuinfo` is where Linux keeps the name of the processor."""
    return Host(
        cpu=_cpu(cpuinfo),
        logical_cores=psutil.cpu_count(logical=True) or 1,
        memory_bytes=int(psutil.virtual_memory().total),
        os=platform.platform(),
        python=f"{platform.python_implementation()} {platform.python_version()}",
        versions=_versions(packages),
    )


def commit(folder: Path, *, git: str = "git") -> str | None:
    """Return the git commit of `folder`, with `-dirty` when tracked files differ; `None` outside of git."""
    command = [git, "-C", str(folder), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)  # noqa: S603 - no shell, fixed words
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None


def _cpu(cpuinfo: Path) -> str:
    try:
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _versions(packages: Sequence[str]) -> dict[str, str]:
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
