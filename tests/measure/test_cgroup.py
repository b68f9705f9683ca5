"""The limits of control groups are found in both versions, and the tightest of them counts."""

from __future__ import annotations

from pathlib import Path

from gemma_eval.measure.cgroup import (
    Throttling,
    cpu_limit,
    memory_limit_bytes,
    throttled_share,
    throttling,
)
from tests.measure.made_up import write

V2 = "29 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
V1 = (
    "31 23 0:28 / /sys/fs/cgroup rw - tmpfs  rw,mode=755\n"
    "33 31 0:30 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
    "35 31 0:31 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
)


def version_2(root: Path, files: dict[str, str], *, path: str = "/user.slice/run.scope") -> Path:
    """Write a machine with version 2 alone, with this process in `path`."""
    write(root, {"proc/self/mountinfo": V2, "proc/self/cgroup": f"0::{path}\n"})
    (root / "sys/fs/cgroup/user.slice/run.scope").mkdir(parents=True, exist_ok=True)
    return write(root, {f"sys/fs/cgroup/{name}": text for name, text in files.items()})


def test_a_limit_of_a_group_above_holds_too(tmp_path: Path) -> None:
    """The group itself says max."""
    version_2(
        tmp_path,
        {
            "user.slice/run.scope/cpu.max": "max 100000\n",
            "user.slice/run.scope/memory.max": "max\n",
            "user.slice/cpu.max": "150000 100000\n",
            "user.slice/memory.max": "2147483648\n",
            "cpu.max": "400000 100000\n",
        },
    )
    assert cpu_limit(tmp_path) == 1.5
    assert memory_limit_bytes(tmp_path) == 2**31


def test_no_limit_is_none(tmp_path: Path) -> None:
    """And so is a machine without groups."""
    assert cpu_limit(version_2(tmp_path / "a", {"user.slice/cpu.max": "max 100000\n"})) is None
    assert cpu_limit(tmp_path / "b") is None
    assert memory_limit_bytes(tmp_path / "b") is None
    assert throttling(tmp_path / "b") == ()


def test_version_1_has_a_folder_per_controller(tmp_path: Path) -> None:
    """-1 and the largest number of whole pages are its words for no limit."""
    write(tmp_path, {"proc/self/mountinfo": V1, "proc/self/cgroup": "4:memory:/a\n3:cpu,cpuacct:/a\n0::/\n"})
    cpu, memory = "sys/fs/cgroup/cpu,cpuacct/a", "sys/fs/cgroup/memory/a"
    write(tmp_path, {f"{cpu}/cpu.cfs_quota_us": "-1\n", f"{cpu}/cpu.cfs_period_us": "100000\n"})
    write(tmp_path, {f"{memory}/memory.limit_in_bytes": "9223372036854771712\n"})
    assert cpu_limit(tmp_path) is None
    assert memory_limit_bytes(tmp_path) is None
    write(tmp_path, {f"{cpu}/cpu.cfs_quota_us": "50000\n", f"{memory}/memory.limit_in_bytes": "1048576\n"})
    assert cpu_limit(tmp_path) == 0.5
    assert memory_limit_bytes(tmp_path) == 2**20


def test_in_a_container_the_mount_is_the_group(tmp_path: Path) -> None:
    """The path is that of the host and has no folder here, or begins with what is mounted, or climbs out."""
    for name, path, mounted in (
        ("host path", "/docker/0123", "/"),
        ("mounted", "/docker/0123", "/docker/0123"),
        ("outside", "/../other", "/"),
    ):
        root = version_2(tmp_path / name, {"cpu.max": "200000 100000\n"}, path=path)
        write(root, {"proc/self/mountinfo": V2.replace(" / /sys", f" {mounted} /sys")})
        assert cpu_limit(root) == 2, name


def test_how_often_a_group_was_stopped_is_a_share_of_its_periods(tmp_path: Path) -> None:
    """Of the one that was stopped most often; 30 of 100 periods in between, not 40 of 300 in all."""
    inner, outer = "user.slice/run.scope/cpu.stat", "user.slice/cpu.stat"
    root = version_2(tmp_path, {inner: "usage_usec 5\nnr_periods 0\nnr_throttled 0\n"})
    version_2(tmp_path, {outer: "nr_periods 200\nnr_throttled 10\nthrottled_usec 7\n"})
    before = throttling(root)
    assert before[1] == Throttling(group=root / "sys/fs/cgroup/user.slice", periods=200, stopped=10)
    version_2(tmp_path, {outer: "nr_periods 300\nnr_throttled 40\n"})
    assert throttled_share(before, throttling(root)) == 0.3


def test_a_group_without_a_quota_was_never_stopped() -> None:
    """That is known, and 0; where no group keeps counts it is not known."""
    group = Throttling(group=Path("x"), periods=0, stopped=0)
    assert throttled_share((group,), (group,)) == 0
    assert throttled_share((), ()) is None
