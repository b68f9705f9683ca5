"""No edit is lost, however a file is saved, and no half of one is ever in use."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import stat
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from gemma_eval.config.live import Live
from gemma_eval.config.live_choices import live_choices
from gemma_eval.config.places import Place
from gemma_eval.config.watch import CONTENT_S

PATIENCE_S = 20.0
"""Far longer than a reload takes, however busy the machine is."""


def in_place(path: Path, text: str) -> None:
    """Write over what is there."""
    path.write_text(text)


def renamed(path: Path, text: str) -> None:
    """Write beside it and rename, as editors do."""
    beside = path.with_name(f".{path.name}.new")
    beside.write_text(text)
    beside.replace(path)


def deleted(path: Path, text: str) -> None:
    """Delete it and make it anew."""
    path.unlink(missing_ok=True)
    path.write_text(text)


def swapped(path: Path, text: str) -> None:
    """Make a new folder and lead the link `..data` there, as Kubernetes does; the file leads through it."""
    link = path.parent / "..data"
    old = link.readlink() if link.is_symlink() else None
    new = path.parent / f"..{time.time_ns()}"
    new.mkdir()
    (new / path.name).write_text(text)
    link.with_name("..data_tmp").symlink_to(new.name)
    link.with_name("..data_tmp").replace(link)
    if not path.is_symlink():
        path.unlink(missing_ok=True)
        path.symlink_to(Path("..data") / path.name)
    if old is not None:
        shutil.rmtree(path.parent / old)


WAYS: Mapping[str, Callable[[Path, str], None]] = {
    "in place": in_place,
    "rename": renamed,
    "delete and create": deleted,
    "symlink swap": swapped,
}


def lost_events(folder: Path, *, save: Callable[[Path, str], None], of_folder: bool, events: int) -> int:
    """Save so many times, and return how many of the texts were never the value."""
    folder.mkdir()
    path = folder / "text.txt"
    save(path, "0")
    seen = set()
    target = folder if of_folder else path

    def read() -> str:
        return path.read_text()

    with Live(read, paths=lambda: [target], poll_s=0.01, quiet_s=0.005) as live:
        for number in range(1, events + 1):
            save(path, str(number))
            ends = time.monotonic() + PATIENCE_S
            while live.value != str(number) and time.monotonic() < ends:
                time.sleep(0.001)
            seen.add(live.value)
        assert live.snapshot.generation == events + 1
    return len({str(number) for number in range(1, events + 1)} - seen)


@pytest.mark.parametrize("of_folder", [False, True], ids=["file", "folder"])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("events", [8, pytest.param(125, marks=pytest.mark.slow)])
def test_no_event_is_lost(tmp_path: Path, way: str, of_folder: bool, events: int) -> None:
    """64 in the short form, 1,000 in the long one; each is in use, and each was one reload."""
    assert lost_events(tmp_path / "it", save=WAYS[way], of_folder=of_folder, events=events) == 0


def test_a_reader_that_misses_events_is_found(tmp_path: Path) -> None:
    """The test above can fail: by one that looks at the time of the link and not of the file."""
    folder = tmp_path / "it"
    folder.mkdir()
    path = folder / "text.txt"
    swapped(path, "0")
    of = path.lstat()
    swapped(path, "1")
    assert (of.st_ino, of.st_mtime_ns) == (path.lstat().st_ino, path.lstat().st_mtime_ns)


@pytest.mark.parametrize("way", WAYS)
def test_a_burst_of_writes_is_a_few_reloads(tmp_path: Path, way: str) -> None:
    """A hundred at once; the last one counts."""
    path = tmp_path / "text.txt"
    WAYS[way](path, "0")

    def read() -> str:
        return path.read_text()

    with Live(read, paths=lambda: [path]) as live:
        for number in range(1, 101):
            WAYS[way](path, str(number))
        until(lambda: live.value == "100")
        time.sleep(0.3)
        assert live.value == "100"
        assert live.snapshot.generation <= 6


PROFILES = json.dumps({"version": 1, "profiles": {"greedy": {"temperature": 0}, "hot": {"temperature": 2}}})


@contextmanager
def broken_for_a_while(path: Path, way: str) -> Iterator[None]:
    """Have a file be wrong, and then as it was."""
    whole, mode = path.read_text(), path.stat().st_mode
    if way == "empty":
        path.write_text("")
    elif way == "half":
        path.write_text(whole[: len(whole) // 2])
    elif way == "not UTF-8":
        path.write_bytes(b"\xff\xfe\x00")
    elif way == "a folder":
        path.unlink()
        path.mkdir()
    elif way == "no permission":
        path.chmod(0)
    yield
    if way == "a folder":
        path.rmdir()
    with suppress(FileNotFoundError):
        path.chmod(mode)
    path.write_text(whole)


@pytest.mark.parametrize("way", ["empty", "half", "not UTF-8", "a folder", "no permission"])
def test_a_broken_file_leaves_the_last_good_one_in_use(tmp_path: Path, way: str) -> None:
    """One line when it breaks, one when it is mended, and the same snapshot all the time."""
    if way == "no permission" and os.geteuid() == 0:
        way = "half"  # root may read all
    path = tmp_path / "profiles.json"
    path.write_text(PROFILES)
    lines: list[str] = []
    with live_choices([Place(layer="project", folder=tmp_path)], environment={}, say=lines.append) as live:
        good = live.snapshot
        with broken_for_a_while(path, way):
            until(lambda: len(lines) == 1)
            time.sleep(CONTENT_S + 0.3)  # the bytes are compared again meanwhile
            assert live.snapshot is good
        until(lambda: len(lines) == 2)
        assert live.snapshot is good
    assert str(path) in lines[0]
    assert "\n" not in lines[0]
    assert lines[1] == "the files can be read again"


def test_halves_that_are_written_in_turn_are_never_in_use(tmp_path: Path) -> None:
    """Each write is of one half alone, with pauses that are longer than the quiet time (F22)."""
    path = tmp_path / "profiles.json"
    path.write_text(PROFILES)
    lines: list[str] = []
    with live_choices([Place(layer="project", folder=tmp_path)], environment={}, say=lines.append) as live:
        good = live.snapshot
        half = len(PROFILES) // 2
        for text in itertools.islice(itertools.cycle((PROFILES[:half], PROFILES[half:])), 8):
            path.write_text(text)
            time.sleep(0.2)
            assert live.snapshot is good
        path.write_text(PROFILES.replace("2}", "3}"))
        until(lambda: live.snapshot.generation == 2)
    assert 1 <= len(lines) <= 9  # of each broken text one line at a time, and that it is mended
    assert lines[-1] == "the files can be read again"


def test_whoever_reads_sees_whole_sets_alone(tmp_path: Path) -> None:
    """Two files that belong together, written by another thread as fast as it can."""
    first, second = tmp_path / "first", tmp_path / "second"
    for path in (first, second):
        path.write_text("0")
    ends = threading.Event()

    def validate(value: tuple[str, str]) -> None:
        if value[0] != value[1]:
            raise ValueError("they do not fit")

    def write() -> None:
        for number in range(1, 60):
            for path in (first, second):
                renamed(path, str(number))
            time.sleep(0.005)
        ends.set()

    with Live(
        lambda: (first.read_text(), second.read_text()), paths=lambda: [first, second], validate=validate
    ) as live:
        writer = threading.Thread(target=write)
        writer.start()
        seen = {live.value}
        while not ends.wait(0.0005):
            seen.add(live.value)
        writer.join()
        until(lambda: live.value == ("59", "59"))
    assert all(one == other for one, other in seen)


def test_nothing_is_written_where_files_are_watched(tmp_path: Path) -> None:
    """Also in a folder that may not be written to."""
    (tmp_path / "profiles.json").write_text(PROFILES)
    before = sorted(path.name for path in tmp_path.iterdir())
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        with live_choices([Place(layer="project", folder=tmp_path)], environment={}) as live:
            time.sleep(0.3)
            assert set(live.value.catalog.profiles) == {"greedy", "hot"}
    finally:
        tmp_path.chmod(stat.S_IRWXU)
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def until(happens: Callable[[], bool]) -> None:
    """Wait until something happens, for a while."""
    ends = time.monotonic() + PATIENCE_S
    while not happens():
        assert time.monotonic() < ends
        time.sleep(0.005)
