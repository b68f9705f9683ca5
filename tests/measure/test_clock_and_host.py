"""The clock counts upwards, and the host knows its own name."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from gemma_eval.measure.clock import clock
from gemma_eval.measure.host import commit, describe, details
from tests.measure.made_up import write
from tests.measure.test_gpu import FakeNvml, gpus_of


def test_the_clock_in_use_never_goes_back() -> None:
    """It counts nanoseconds upwards."""
    stamps = [clock() for _ in range(1000)]
    assert stamps == sorted(stamps)


X86 = """\
processor\t: 0
model name\t: Example 3000 @ 2 GHz
microcode\t: 0x42
flags\t\t: fpu sse2 avx avx2 fma hypervisor avx512f amx_int8 avx20

processor\t: 1
model name\t: other
microcode\t: 0x43
flags\t\t: none
"""
ARM = "processor\t: 0\nFeatures\t: fp asimd asimddp sve i8mm\nCPU implementer\t: 0x41\n"
CPU = "sys/devices/system/cpu"


def nothing() -> None:
    """There is no GPU."""


def test_the_host_is_described_by_what_decides_speed(tmp_path: Path) -> None:
    """Processor, cores, memory, system, Python and the versions of what computes."""
    write(tmp_path, {"proc/cpuinfo": X86})
    host = describe(root=tmp_path, packages=("numpy", "pytest", "no-such-package"), gpus=nothing)
    assert host.cpu == "Example 3000 @ 2 GHz"
    assert host.logical_cores >= 1
    assert host.memory_bytes > 2**20
    assert host.python.startswith("CPython 3.") or "Py" in host.python
    assert set(host.versions) == {"numpy", "pytest"}
    assert host.details["microcode"] == "0x42"


def test_a_processor_without_a_name_is_called_by_its_kind(tmp_path: Path) -> None:
    """Some systems keep no such file, some write no name into it."""
    assert describe(root=tmp_path / "absent").cpu
    write(tmp_path, {"proc/cpuinfo": ""})
    assert describe(root=tmp_path).cpu


def test_settings_of_the_machine_are_read_where_linux_keeps_them(tmp_path: Path) -> None:
    """Each as text; processors that differ are all named."""
    write(tmp_path, {"proc/cpuinfo": X86, "proc/self/cgroup": "0::/\n"})
    write(tmp_path, {"proc/self/mountinfo": "29 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"})
    write(tmp_path, {"sys/fs/cgroup/cpu.max": "150000 100000\n", "sys/fs/cgroup/memory.max": "4096\n"})
    for index, siblings in enumerate(("0-1", "0-1", "2-3", "2-3")):
        write(tmp_path, {f"{CPU}/cpu{index}/topology/thread_siblings_list": f"{siblings}\n"})
    write(tmp_path, {f"{CPU}/cpu0/cpufreq/scaling_governor": "performance\n"})
    write(tmp_path, {f"{CPU}/cpu1/cpufreq/scaling_governor": "powersave\n"})
    write(tmp_path, {f"{CPU}/cpufreq/boost": "0\n", f"{CPU}/smt/active": "1\n"})
    write(tmp_path, {"sys/devices/system/node/node0/x": "", "sys/devices/system/node/node1/x": ""})
    write(tmp_path, {"sys/kernel/mm/transparent_hugepage/enabled": "always [madvise] never\n"})
    write(tmp_path, {"sys/devices/system/clocksource/clocksource0/current_clocksource": "tsc\n"})
    write(tmp_path, {"sys/class/power_supply/BAT0/status": "Full\n"})
    found = details(root=tmp_path, gpus=lambda: gpus_of(FakeNvml(used=[{}])))
    assert found.pop("kernel")
    for machine_dependent in ("libc", "affinity"):
        found.pop(machine_dependent, None)
    assert found == {
        "physical_cores": "2",
        "cpu_limit": "1.5",
        "memory_limit_bytes": "4096",
        "governor": "performance, powersave",
        "turbo": "off",
        "smt": "on",
        "microcode": "0x42",
        "instruction_sets": "avx avx2 fma avx512f amx_int8",
        "virtual_machine": "yes",
        "numa_nodes": "2",
        "huge_pages": "madvise",
        "clock_source": "tsc",
        "battery": "Full",
        "gpu": "Example 9000",
        "gpu_driver": "555.42",
    }


def test_what_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    """No empty text, no guess."""
    assert set(details(root=tmp_path, gpus=nothing)) <= {"kernel", "libc", "affinity"}


def test_arm_names_its_instructions_otherwise(tmp_path: Path) -> None:
    """Under Features, in an order of its own."""
    write(tmp_path, {"proc/cpuinfo": ARM})
    assert details(root=tmp_path, gpus=nothing)["instruction_sets"] == "asimd asimddp i8mm sve"


@pytest.mark.parametrize(("no_turbo", "turbo"), [("0", "on"), ("1", "off")])
def test_intels_driver_says_whether_there_is_no_turbo(tmp_path: Path, no_turbo: str, turbo: str) -> None:
    """The other way round than the others."""
    write(tmp_path, {f"{CPU}/intel_pstate/no_turbo": no_turbo})
    assert details(root=tmp_path, gpus=nothing)["turbo"] == turbo


def git(folder: Path, *words: str) -> str:
    """Run git with a fixed identity."""
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false")
    command = ["git", "-C", str(folder), *identity, *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_the_commit_of_a_folder_says_when_the_folder_differs_from_it(tmp_path: Path) -> None:
    """The whole hash, with -dirty for a changed file; None where git knows nothing."""
    try:
        git(tmp_path, "init", "-q")
    except FileNotFoundError:
        pytest.skip("git is not installed")
    assert commit(tmp_path) is None
    (tmp_path / "file").write_text("one", encoding="utf-8")
    git(tmp_path, "add", "file")
    git(tmp_path, "commit", "-q", "-m", "one")
    head = git(tmp_path, "rev-parse", "HEAD")
    assert commit(tmp_path) == head
    (tmp_path / "file").write_text("two", encoding="utf-8")
    assert commit(tmp_path) == f"{head}-dirty"
    assert commit(tmp_path / "absent") is None
    (tmp_path / "file").write_text("one", encoding="utf-8")
    assert commit(tmp_path) == head


@pytest.mark.parametrize(
    ("name", "is_told"),
    [
        *((name, True) for name in ("new.toml", "conftest.py", "templates/new.jinja", "profiles.json")),
        *((name, True) for name in ("documents/hay.md", "documents/hay.txt", "with space \n.toml")),
        *((name, False) for name in ("notes.pdf", "gates.sarif", ".venv/lib/code.py", ".benchmarks/1.json")),
        *((name, False) for name in ("reports/run/results.json", "gates.json", "ignored.toml")),
    ],
)
def test_files_that_a_run_can_use_and_no_commit_has_are_told(
    tmp_path: Path, name: str, *, is_told: bool
) -> None:
    """Unless git ignores them, or the run has written them itself; and again once they are committed."""
    try:
        git(tmp_path, "init", "-q")
    except FileNotFoundError:
        pytest.skip("git is not installed")
    (tmp_path / ".gitignore").write_text("ignored.*\n", encoding="utf-8")
    git(tmp_path, "add", ".gitignore")
    git(tmp_path, "commit", "-q", "-m", "one")
    head = git(tmp_path, "rev-parse", "HEAD")
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text("new", encoding="utf-8")
    written = (tmp_path / "reports", tmp_path / "gates.json", tmp_path, tmp_path.parent)
    assert commit(tmp_path, ignoring=written) == (f"{head}-dirty" if is_told else head)
    if is_told:
        git(tmp_path, "add", name)
        git(tmp_path, "commit", "-q", "-m", "two")
        assert commit(tmp_path, ignoring=written) == git(tmp_path, "rev-parse", "HEAD")


def test_files_beside_the_folder_are_not_of_the_run(tmp_path: Path) -> None:
    """Those of another folder of the repository."""
    try:
        git(tmp_path, "init", "-q")
    except FileNotFoundError:
        pytest.skip("git is not installed")
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "one")
    (tmp_path / "here").mkdir()
    (tmp_path / "beside.toml").write_text("", encoding="utf-8")
    assert commit(tmp_path / "here") == git(tmp_path, "rev-parse", "HEAD")
    assert commit(tmp_path) == f"{git(tmp_path, 'rev-parse', 'HEAD')}-dirty"


def test_without_git_there_is_no_commit(tmp_path: Path) -> None:
    """As on a machine that has none."""
    assert commit(tmp_path, git="no-such-git") is None
