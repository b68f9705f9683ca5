"""The control groups that this process is in: what they let it have, and how often they stopped it.

A limit of a group holds for all groups within it, so those above are read too; the tightest counts.
Source: Linux man page cgroups(7); torvalds/linux:Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gemma_eval.measure.kernel_files import text


@dataclass(frozen=True, kw_only=True, slots=True)
class Throttling:
    """How many periods of its quota a group has had so far, and in how many of them it was stopped."""

    group: Path
    periods: int
    stopped: int


def cpu_limit(root: Path = Path("/")) -> float | None:
    """Return how many processors the groups allow, `None` where none limits them."""
    return min((limit for group in _groups("cpu", root) if (limit := _cpus(group)) is not None), default=None)


def memory_limit_bytes(root: Path = Path("/")) -> int | None:
    """Return how much memory the groups allow, `None` where none limits it."""
    limits = [
        int(word)
        for group in _groups("memory", root)
        for name in ("memory.max", "memory.limit_in_bytes")
        if (word := text(group / name)).isdecimal() and int(word) < _UNLIMITED
    ]
    return min(limits, default=None)


def throttling(root: Path = Path("/")) -> tuple[Throttling, ...]:
    """Return the counts of every group that keeps them, the innermost first."""
    found = []
    for group in _groups("cpu", root):
        words = dict(line.split()[:2] for line in text(group / "cpu.stat").splitlines() if " " in line)
        if "nr_periods" in words and "nr_throttled" in words:
            counts = int(words["nr_periods"]), int(words["nr_throttled"])
            found.append(Throttling(group=group, periods=counts[0], stopped=counts[1]))
    return tuple(found)


def throttled_share(before: tuple[Throttling, ...], after: tuple[Throttling, ...]) -> float | None:
    """Return the part of the periods in between in which a group was stopped, of the one that was most often.

    It is 0 where no quota ran, `None` where no group keeps counts.
    """
    earlier = {count.group: count for count in before}
    shares = [
        (count.stopped - earlier[count.group].stopped) / max(1, count.periods - earlier[count.group].periods)
        for count in after
        if count.group in earlier
    ]
    return max(shares, default=None)


_UNLIMITED = 1 << 60
"""Version 1 writes no limit as the largest number of whole pages."""


def _groups(controller: str, root: Path) -> list[Path]:
    """Return the folders of the groups that may limit `controller`, of both versions, the innermost first."""
    found = []
    for line in text(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        mount = _mount(controllers and controller, root)
        if mount is not None:
            found += _with_those_above(path, *mount)
    return found


def _mount(controller: str, root: Path) -> tuple[str, Path] | None:
    """Return which group is mounted, and where: version 2 when there is no name of a controller."""
    for line in text(root / "proc/self/mountinfo").splitlines():
        mounted, _, kind = line.partition(" - ")
        fields, types = mounted.split(), kind.split()
        is_wanted = types[:1] == (["cgroup"] if controller else ["cgroup2"])
        if is_wanted and (not controller or controller in types[-1].split(",")):
            return fields[3], root / fields[4].lstrip("/")
    return None


def _with_those_above(path: str, mounted: str, folder: Path) -> list[Path]:
    """Return the folder of a group and those above it, as far as they can be seen from here."""
    within = path.removeprefix(mounted) if mounted != "/" else path
    group = folder / within.lstrip("/")
    # In a container the path may be that of the host, which has no folder here: then the mount is the group.
    if not group.is_dir() or ".." in Path(within).parts:
        return [folder]
    return [group, *(above for above in group.parents if above.is_relative_to(folder))]


def _cpus(group: Path) -> float | None:
    quota, _, period = text(group / "cpu.max").partition(" ")
    if not quota:
        quota, period = text(group / "cpu.cfs_quota_us"), text(group / "cpu.cfs_period_us")
    return int(quota) / int(period) if quota.isdecimal() and period.isdecimal() else None
