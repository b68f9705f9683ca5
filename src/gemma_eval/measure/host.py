"""The machine and the code that a run was made with."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

from gemma_eval.measure.cgroup import cpu_limit, memory_limit_bytes
from gemma_eval.measure.gpu import Gpus, installed
from gemma_eval.measure.kernel_files import text
from gemma_eval.records import Host

PACKAGES = ("gemma_eval", "numpy", "scipy", "pytest", "tokenizers")
"""The packages whose versions decide results or speed."""
INSTRUCTION_SETS = (
    *("avx", "avx2", "fma", "f16c", "avx_vnni", "avx512f", "avx512bw", "avx512_vnni", "avx512_bf16"),
    *("avx512_fp16", "amx_tile", "amx_int8", "amx_bf16"),
    *("asimd", "asimdhp", "asimddp", "i8mm", "bf16", "sve", "sve2", "sme"),
)
"""What kernels of matrix products are chosen by, in Linux's names for x86 and Arm."""
_USED = (".toml", ".json", ".jinja", ".py", ".md", ".txt")
"""The ends of names of what a run can be made with: suites, models, profiles, templates, code, documents."""
_DIRTY = "-dirty"


def describe(
    *,
    root: Path = Path("/"),
    packages: Sequence[str] = PACKAGES,
    gpus: Callable[[], Gpus | None] = installed,
) -> Host:
    """Return the host that this process runs on; `root` is where /proc and /sys lie."""
    cpuinfo = _lines(root / "proc/cpuinfo")
    return Host(
        cpu=_first(cpuinfo, "model name") or platform.processor() or platform.machine(),
        logical_cores=psutil.cpu_count(logical=True) or 1,
        memory_bytes=int(psutil.virtual_memory().total),
        os=platform.platform(),
        python=f"{platform.python_implementation()} {platform.python_version()}",
        versions=_versions(packages),
        details=details(root=root, gpus=gpus),
    )


def details(*, root: Path = Path("/"), gpus: Callable[[], Gpus | None] = installed) -> dict[str, str]:
    """Return what else decides the speed of this machine, each as text; what cannot be read is left out."""
    cpu = root / "sys/devices/system/cpu"
    found = gpus()
    told = {
        "kernel": platform.release(),
        "libc": " ".join(platform.libc_ver()).strip(),
        **_cores(root),
        "governor": _agreed(cpu.glob("cpu[0-9]*/cpufreq/scaling_governor")),
        "turbo": _turbo(cpu),
        "smt": _on_off(text(cpu / "smt/active")),
        **_instructions(_lines(root / "proc/cpuinfo")),
        "numa_nodes": _count((root / "sys/devices/system/node").glob("node[0-9]*")),
        "huge_pages": _chosen(text(root / "sys/kernel/mm/transparent_hugepage/enabled")),
        "clock_source": text(root / "sys/devices/system/clocksource/clocksource0/current_clocksource"),
        "battery": _agreed((root / "sys/class/power_supply").glob("BAT*/status")),
        **(found.describe() if found else {}),
    }
    return {name: value for name, value in told.items() if value}


def commit(folder: Path, *, ignoring: Sequence[Path] = (), git: str = "git") -> str | None:
    """Return the git commit of `folder`, `None` outside of git.

    It ends in `-dirty` when tracked files differ, and when below the folder there is a file that git neither
    tracks nor ignores and that a run can be made with, as a new suite. What is below a folder with a dot
    before its name does not count, nor what is in `ignoring` or below it, unless that is the folder itself.
    """
    described = _git(folder, "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*", git=git)
    if not described:
        return None
    found = described.decode().strip()
    is_dirty = found.endswith(_DIRTY) or _has_untracked(folder, ignoring, git=git)
    return f"{found.removesuffix(_DIRTY)}{_DIRTY if is_dirty else ''}"


def _has_untracked(folder: Path, ignoring: Sequence[Path], *, git: str) -> bool:
    """Whether there are files that a commit does not tell of; where git does not answer there may be."""
    listed = _git(folder, "ls-files", "--others", "--exclude-standard", "-z", git=git)
    if listed is None:
        return True
    top = folder.resolve()
    ignored = {path.resolve() for path in ignoring} - {top, *top.parents}
    for name in os.fsdecode(listed).split("\0"):
        path = Path(name)
        is_hidden = any(part.startswith(".") for part in path.parts[:-1])
        if path.suffix in _USED and not is_hidden and ignored.isdisjoint((top / path, *(top / path).parents)):
            return True
    return False


def _git(folder: Path, *arguments: str, git: str) -> bytes | None:
    command = [git, "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, timeout=10, check=False)  # noqa: S603 - no shell, fixed words
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def _cores(root: Path) -> dict[str, str]:
    """Return how many cores there are, and how many of their threads this process may use."""
    topology = (root / "sys/devices/system/cpu").glob("cpu[0-9]*/topology/thread_siblings_list")
    cpus, memory = cpu_limit(root), memory_limit_bytes(root)
    return {
        "physical_cores": _count({text(path) for path in topology}),
        # Not every system knows which processors a process may use.
        "affinity": str(len(os.sched_getaffinity(0))) if hasattr(os, "sched_getaffinity") else "",
        "cpu_limit": "" if cpus is None else f"{cpus:g}",
        "memory_limit_bytes": "" if memory is None else str(memory),
    }


def _instructions(cpuinfo: Sequence[str]) -> dict[str, str]:
    """Return what the processor can do; a virtual one says so by a flag."""
    flags = (_first(cpuinfo, "flags") or _first(cpuinfo, "Features")).split()
    return {
        "microcode": _first(cpuinfo, "microcode"),
        "instruction_sets": " ".join(name for name in INSTRUCTION_SETS if name in flags),
        "virtual_machine": "yes" if "hypervisor" in flags else "",
    }


def _turbo(cpu: Path) -> str:
    """Return whether the clock may rise above its base; Intel's driver says whether it may not."""
    return _on_off(text(cpu / "cpufreq/boost")) or {"0": "on", "1": "off"}.get(
        text(cpu / "intel_pstate/no_turbo"), ""
    )


def _on_off(digit: str) -> str:
    return {"0": "off", "1": "on"}.get(digit, "")


def _agreed(paths: Iterable[Path]) -> str:
    """Return the different texts of several files."""
    return ", ".join(sorted({value for path in paths if (value := text(path))}))


def _chosen(choices: str) -> str:
    """Return the choice in brackets, as in `always [madvise] never`."""
    return choices.partition("[")[2].partition("]")[0]


def _count(things: Iterable[object]) -> str:
    return str(sum(1 for _ in things) or "")


def _first(lines: Sequence[str], name: str) -> str:
    """Return the value of the first line `name : value`."""
    values = (line.partition(":")[2].strip() for line in lines if line.partition(":")[0].strip() == name)
    return next(values, "")


def _lines(path: Path) -> list[str]:
    return text(path).splitlines()


def _versions(packages: Sequence[str]) -> dict[str, str]:
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
