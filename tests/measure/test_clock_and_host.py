"""The clock knows its own price, and the host its own name."""

from __future__ import annotations

import subprocess
from itertools import count
from pathlib import Path

import pytest

from gemma_eval.measure.clock import Calibration, calibrate, clock
from gemma_eval.measure.host import commit, describe


def test_a_clock_that_advances_evenly_costs_its_step() -> None:
    """41 ns a reading are found as 41 ns, in steps of 41 ns."""
    readings = count(1000, 41)
    assert calibrate(lambda: next(readings)) == Calibration(ns_per_reading=41, resolution_ns=41)


def test_an_interruption_does_not_raise_the_price() -> None:
    """One reading in a thousand took a millisecond longer; a mean would say 1041 ns."""
    stamps = [i * 41 + (1_000_000 if i > 500 else 0) for i in range(1001)]
    readings = iter(stamps)
    assert calibrate(lambda: next(readings)).ns_per_reading == 41
    assert (stamps[-1] - stamps[0]) / 1000 == 1041


def test_a_clock_that_stands_still_has_no_resolution() -> None:
    """None, not 0."""
    assert calibrate(lambda: 5) == Calibration(ns_per_reading=0, resolution_ns=None)


def test_a_coarse_clock_shows_its_step() -> None:
    """It advances by 1 ms once in ten readings."""
    readings = count()
    found = calibrate(lambda: next(readings) // 10 * 1_000_000)
    assert found == Calibration(ns_per_reading=100_000, resolution_ns=1_000_000)


def test_the_clock_in_use_never_goes_back() -> None:
    """It counts nanoseconds upwards."""
    stamps = [clock() for _ in range(1000)]
    assert stamps == sorted(stamps)
    assert calibrate(clock).ns_per_reading > 0


def test_the_host_is_described_by_what_decides_speed(tmp_path: Path) -> None:
    """Processor, cores, memory, system, Python and the versions of what computes."""
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(
        "processor\t: 0\nmodel name\t: Example 3000 @ 2 GHz\nmodel name\t: other\n", encoding="utf-8"
    )
    host = describe(cpuinfo=cpuinfo, packages=("numpy", "pytest", "no-such-package"))
    assert host.cpu == "Example 3000 @ 2 GHz"
    assert host.logical_cores >= 1
    assert host.memory_bytes > 2**20
    assert host.python.startswith("CPython 3.") or "Py" in host.python
    assert set(host.versions) == {"numpy", "pytest"}


def test_a_processor_without_a_name_is_called_by_its_kind(tmp_path: Path) -> None:
    """Some systems keep no such file, some write no name into it."""
    assert describe(cpuinfo=tmp_path / "absent").cpu
    (tmp_path / "empty").write_text("", encoding="utf-8")
    assert describe(cpuinfo=tmp_path / "empty").cpu


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
    assert commit(tmp_path, git="no-such-git") is None
