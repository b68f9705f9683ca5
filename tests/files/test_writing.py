"""A file is put in the place of another in one step, with its rights, and nothing stays beside it."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemma_eval.files.writing import ABSENT, Changed, WriteError, clean, digest, replacing, write


def names(folder: Path) -> list[str]:
    """Return the names of all that is in a folder."""
    return sorted(entry.name for entry in folder.iterdir())


@given(st.binary(max_size=3000), st.binary(max_size=3000))
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, first: bytes, second: bytes
) -> None:
    """Whatever bytes, over whatever bytes, on the disk or not yet."""
    path = tmp_path_factory.mktemp("written") / "file"
    write(path, first)
    assert path.read_bytes() == first
    write(path, second, durable=False, seen=digest(first))
    assert path.read_bytes() == second
    assert names(path.parent) == ["file"]


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664, 0o755])
def test_the_rights_of_a_file_stay(tmp_path: Path, mode: int) -> None:
    """Also those that the umask would take away."""
    path = tmp_path / "file"
    path.touch()
    path.chmod(mode)
    write(path, b"new")
    assert stat.S_IMODE(path.stat().st_mode) == mode


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_a_new_file_has_the_rights_that_the_user_gives(tmp_path: Path, umask: int) -> None:
    """And not those of a temporary file, which nobody else may read."""
    code = (
        f"import os; os.umask({umask}); from pathlib import Path; from gemma_eval.files.writing import write"
    )
    path = tmp_path / "file"
    subprocess.run([sys.executable, "-c", f"{code}; write(Path({str(path)!r}), b'x')"], check=True)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives files away")
def test_the_owner_of_a_file_stays(tmp_path: Path) -> None:
    """As when root changes a file of a user."""
    path = tmp_path / "file"
    path.touch()
    os.chown(path, 1234, 2345)
    write(path, b"new")
    assert (path.stat().st_uid, path.stat().st_gid) == (1234, 2345)


def test_a_link_stays_and_what_it_leads_to_is_replaced(tmp_path: Path) -> None:
    """Through two links, into another folder; where that holds nothing yet, the file is made there."""
    (tmp_path / "dotfiles").mkdir()
    real, link, second = tmp_path / "dotfiles" / "real", tmp_path / "link", tmp_path / "second"
    link.symlink_to("dotfiles/real")
    second.symlink_to(link)
    for data in (b"one", b"two"):
        write(second, data)
        assert real.read_bytes() == data
    assert (link.readlink(), second.readlink()) == (Path("dotfiles/real"), link)
    assert names(tmp_path) == ["dotfiles", "link", "second"]
    assert names(real.parent) == ["real"]


def test_other_names_of_a_file_keep_what_they_had(tmp_path: Path) -> None:
    """A hard link is another file from then on: nothing is ever written into bytes that somebody reads."""
    path, other = tmp_path / "file", tmp_path / "other"
    path.write_bytes(b"old")
    other.hardlink_to(path)
    with path.open("rb") as reader:
        write(path, b"new")
        assert reader.read() == b"old"
    assert other.read_bytes() == b"old"


def test_only_files_are_replaced(tmp_path: Path) -> None:
    """No folder, no pipe, no device, and no loop of links."""
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    for path in (tmp_path / "folder", tmp_path / "pipe", Path("/dev/null")):
        with pytest.raises(WriteError, match="cannot be written: it is not a regular file"):
            write(path, b"x")
    with pytest.raises(WriteError, match="cannot be written: too many levels of symbolic links"):
        write(tmp_path / "loop", b"x")
    assert names(tmp_path) == ["folder", "loop", "pipe"]


def test_a_file_in_no_folder_is_one_clear_error(tmp_path: Path) -> None:
    """The folder is not made: who writes knows whether it should be."""
    with pytest.raises(WriteError, match=r"^cannot be written: no such file or directory$"):
        write(tmp_path / "absent" / "file", b"x")
    (tmp_path / "file").touch()
    with pytest.raises(WriteError, match=r"^cannot be written: not a directory$"):
        write(tmp_path / "file" / "below", b"x")
    with pytest.raises(WriteError, match=r"^cannot be written: file name too long$"):
        write(tmp_path / ("x" * 300), b"x")


@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError, OSError])
def test_after_an_error_all_is_as_it_was(tmp_path: Path, error: type[BaseException]) -> None:
    """Also when somebody presses Ctrl-C; a fault of the disk is said as one of the file."""
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(WriteError if error is OSError else error):  # noqa: PT012, SIM117 - what is tried
        with replacing(path) as file:
            file.write(b"half")
            raise error
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["file"]


def test_a_file_that_was_changed_since_it_was_read_is_left_alone(tmp_path: Path) -> None:
    """By bytes and not by time; also one that has come since, or has gone."""
    path = tmp_path / "file"
    path.write_bytes(b"of another")
    for seen in (digest(b"as read"), ABSENT):
        with pytest.raises(Changed, match="was changed by somebody else"):
            write(path, b"new", seen=seen)
    assert path.read_bytes() == b"of another"
    path.unlink()
    with pytest.raises(Changed):
        write(path, b"new", seen=digest(b"as read"))
    assert names(tmp_path) == []
    write(path, b"new", seen=ABSENT)
    assert path.read_bytes() == b"new"


def test_a_change_while_it_is_written_is_seen(tmp_path: Path) -> None:
    """The last look is taken when the new bytes are on the disk."""
    path = tmp_path / "file"
    path.write_bytes(b"as read")
    with pytest.raises(Changed):  # noqa: PT012, SIM117 - what is tried
        with replacing(path, seen=digest(b"as read")) as file:
            file.write(b"new")
            path.write_bytes(b"by hand")
    assert path.read_bytes() == b"by hand"


def test_what_dead_writers_left_is_cleaned_and_living_ones_go_on(tmp_path: Path) -> None:
    """A lock of the system tells who lives; what is named otherwise is none of ours."""
    path = tmp_path / "file"
    with replacing(path) as file:
        file.write(b"new")
        living = [name for name in names(tmp_path) if name.startswith(".file.")]
        assert len(living) == 1
        left = [f".file.{'0' * 16}.tmp", f".models.toml.2026.{'a' * 16}.tmp"]
        others = [f"other.{'0' * 16}.tmp", ".file.backup.tmp", f".file.{'0' * 16}.tmp.swp"]
        for name in (*left, *others):
            (tmp_path / name).touch()
        clean(tmp_path)
        assert names(tmp_path) == sorted([*living, *others])
    assert names(tmp_path) == sorted(["file", *others])
    assert path.read_bytes() == b"new"


def test_who_cleans_all_the_time_disturbs_no_writer(tmp_path: Path) -> None:
    """A file that is taken for a dead writer's before it is locked is made anew."""
    path, ends = tmp_path / "file", Event()

    def go_on() -> None:
        while not ends.is_set():
            clean(tmp_path)

    with ThreadPoolExecutor(1) as pool:
        cleaning = pool.submit(go_on)
        try:
            for number in range(500):
                write(path, f"{number}".encode(), durable=False)
                assert path.read_bytes() == f"{number}".encode()
        finally:
            ends.set()
        cleaning.result()
    assert names(tmp_path) == ["file"]


def test_names_may_be_as_long_as_the_system_allows(tmp_path: Path) -> None:
    """In bytes, of letters that take four."""
    path = tmp_path / ("\N{GRINNING FACE}" * 63)
    write(path, b"new")
    assert path.read_bytes() == b"new"
