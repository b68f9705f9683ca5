"""A watch tells of a change when it is over, however it was made, and of nothing else."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from gemma_eval.config.watch import CONTENT_S, GONE_S, PATIENCE_S, Watch, content, marks

QUIET_S = 0.05


@dataclass
class Clock:
    """Time that goes on when it is told to."""

    now: float = 100.0

    def __call__(self) -> float:
        """Return what time it is."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still."""
    return Clock()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file to watch."""
    path = tmp_path / "profiles.json"
    path.write_text("one")
    return path


def a_watch(*paths: Path, clock: Clock) -> Watch:
    """Watch some files."""
    return Watch(lambda: paths, quiet_s=QUIET_S, clock_s=clock)


def polled(watch: Watch, clock: Clock, seconds: float) -> int:
    """Poll every 10 ms for so long, and return how many changes were told."""
    told = 0
    for _ in range(round(seconds / 0.01)):
        clock.now += 0.01
        told += watch.poll()
    return told


def test_nothing_is_told_of_files_that_nobody_touches(file: Path, clock: Clock) -> None:
    """Not even when their bytes are compared."""
    assert polled(a_watch(file, clock=clock), clock, 3 * CONTENT_S) == 0


def test_a_change_is_told_once_and_when_it_is_over(file: Path, clock: Clock) -> None:
    """Each further write puts off the end of the quiet time."""
    watch = a_watch(file, clock=clock)
    for text in ("a", "ab", "abc"):
        file.write_text(text)
        assert polled(watch, clock, QUIET_S - 0.02) == 0
    assert polled(watch, clock, QUIET_S + 0.02) == 1
    assert polled(watch, clock, 3 * CONTENT_S) == 0


def test_a_file_that_is_never_at_rest_is_told_of_all_the_same(file: Path, clock: Clock) -> None:
    """After a second."""
    watch = a_watch(file, clock=clock)
    told_at = None
    for n in range(200):
        file.write_text("x" * n)
        clock.now += 0.01
        if watch.poll() and told_at is None:
            told_at = n * 0.01
    assert told_at == pytest.approx(PATIENCE_S, abs=0.05)


def test_a_file_that_comes_back_was_not_deleted(file: Path, clock: Clock) -> None:
    """A change is told when it is there again; of one that stays away, later."""
    watch = a_watch(file, clock=clock)
    file.unlink()
    assert polled(watch, clock, GONE_S - 0.1) == 0
    file.write_text("two")
    assert polled(watch, clock, QUIET_S + 0.02) == 1
    file.unlink()
    assert polled(watch, clock, GONE_S - 0.1) == 0
    assert polled(watch, clock, 0.2) == 1


def test_bytes_that_change_behind_equal_marks_are_found(file: Path, clock: Clock) -> None:
    """The same size at the same time, as on a clock that is coarse."""
    of = file.stat()
    watch = a_watch(file, clock=clock)
    file.write_text("two")
    os.utime(file, ns=(of.st_atime_ns, of.st_mtime_ns))
    assert marks([file])[str(file)][:4] == (of.st_dev, of.st_ino, of.st_mtime_ns, of.st_size)
    assert polled(watch, clock, CONTENT_S - 0.1) == 0
    assert polled(watch, clock, 0.2 + QUIET_S) == 1
    assert polled(watch, clock, 3 * CONTENT_S) == 0


def test_files_in_folders_come_and_go(tmp_path: Path, clock: Clock) -> None:
    """Also in a folder below, or one that was not there; what is hidden or an editor's own is not seen."""
    folder = tmp_path / "templates"
    watch = a_watch(folder, clock=clock)
    (folder / "parts").mkdir(parents=True)
    assert polled(watch, clock, 1) == 1  # the folder has come
    for name in ("plain.md", "parts/head.md"):
        (folder / name).write_text("text")
        assert polled(watch, clock, 1) == 1, name
        (folder / name).unlink()
        assert polled(watch, clock, 1) == 1, name
    for name in (".plain.md.swp", "plain.md~", "#plain.md#", ".backups"):
        (folder / name).write_text("text")
        assert polled(watch, clock, 3) == 0, name


def test_a_ring_of_links_ends(tmp_path: Path, clock: Clock) -> None:
    """A folder that has itself in it."""
    (tmp_path / "self").symlink_to(tmp_path)
    (tmp_path / "plain.md").write_text("text")
    watch = a_watch(tmp_path, clock=clock)
    assert polled(watch, clock, 1) == 0


def test_the_content_of_a_set_is_its_names_and_bytes(tmp_path: Path) -> None:
    """What moves from one file to its neighbour, or is not there, makes another one."""
    first, second = tmp_path / "a", tmp_path / "b"
    seen = set()
    for texts in ((None, None), ("", None), ("", ""), ("x", ""), ("", "x"), ("xy", ""), ("x", "y")):
        for path, text in zip((first, second), texts, strict=True):
            path.unlink(missing_ok=True)
            if text is not None:
                path.write_text(text)
        seen.add(content([first, second]))
    assert len(seen) == 7
    assert content([first, second]) in seen


@pytest.mark.parametrize("poll_s", [0.1, 0.02])
def test_the_next_look_is_when_a_change_may_be_over(file: Path, clock: Clock, poll_s: float) -> None:
    """And not later than a poll."""
    watch = a_watch(file, clock=clock)
    assert watch.wait_s(poll_s) == poll_s
    assert not watch.is_changing
    file.write_text("two")
    watch.poll()
    assert watch.wait_s(poll_s) == pytest.approx(min(poll_s, QUIET_S), abs=0.002)
    assert watch.is_changing


def test_very_many_files_do_not_take_the_processor(file: Path, clock: Clock) -> None:
    """There is more time between looks that take longer, at marks as at bytes; one slow look is none."""
    looks: list[float] = []
    look_s = 0.0

    def paths() -> list[Path]:
        clock.now += look_s
        looks.append(clock.now)
        return [file]

    watch = Watch(paths, quiet_s=QUIET_S, clock_s=clock)
    look_s = 0.05
    watch.poll()
    assert watch.wait_s(0.1) == 0.1
    watch.poll()
    assert watch.wait_s(0.1) == pytest.approx(20 * 0.05)
    looks.clear()
    for _ in range(100):
        clock.now += CONTENT_S
        watch.poll()
    assert 100 + 100 * CONTENT_S / 6 < len(looks) < 100 + 100 * CONTENT_S / 4, "at bytes every five seconds"
