"""A disk that is full or read-only, and rights that are missing: one clear error, and the file as it was."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from gemma_eval.config import restoring
from gemma_eval.config.backups import listed
from gemma_eval.config.changing import change
from gemma_eval.config.recovery import read_or_last_good
from gemma_eval.errors import ConfigError
from tests.faults.config_writer import number_of, text_of
from tests.faults.test_full_disk import ROOT, needs_mounts

SCRIPT = "tests.faults.config_on_a_bad_disk"
NOBODY = 65534


def on(mount: str, *arguments: str) -> list[dict[str, Any]]:
    """Run the script in a mount namespace of its own, after `mount` has prepared a folder there."""
    inside = f'{mount} && exec "$@"'
    command = ["unshare", "--mount", "bash", "-c", inside, "bash", sys.executable, "-m", SCRIPT, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


@needs_mounts
def test_a_disk_that_fills_up_loses_no_version(tmp_path: Path) -> None:
    """With less room page by page: the change is whole, or one clear error and the file as it was."""
    found = on(f'mount -t tmpfs -o size=128k tmpfs "{tmp_path}"', "fill", str(tmp_path / "profiles.json"))
    refused = [each for each in found if each["error"]]
    assert refused
    assert not found[0]["error"]
    for each in found:
        assert each["is_as_before" if each["error"] else "is_next"]
        assert each["notice"] is None
        assert each["kept"] in (0, -1), "a full disk costs at most the copy of what was written"
        assert each["left"] == []
    for each in refused:
        what = "cannot be written: no space left on device"
        assert each["error"] == f"{tmp_path / 'profiles.json'}: {what}"


@needs_mounts
def test_a_read_only_disk_is_one_clear_error(tmp_path: Path) -> None:
    """What is there can be read, and nothing is tried again and again."""
    path = tmp_path / "profiles.json"
    path.write_text(text_of(0))
    mount = f'mount --bind "{tmp_path}" "{tmp_path}" && mount -o remount,ro,bind "{tmp_path}"'
    (found,) = on(mount, "once", str(path))
    assert found["error"] == f"{path}: cannot be written: read-only file system"
    assert found["is_as_before"]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder that everybody can reach; all is imported by then, which not everybody may read."""
    for number in range(2):
        change(tmp_path / "profiles.json", lambda _, number=number: text_of(number), check=number_of)  # type: ignore[misc]
    path = Path(tempfile.mkdtemp())
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@contextmanager
def without_rights() -> Iterator[None]:
    """Be nobody for a while, as root has all rights."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(user)


def next_version(path: Path) -> None:
    """Make the next version of a file."""
    change(path, lambda text: text_of(number_of(text) + 1), check=number_of)


def test_a_folder_that_one_may_not_write_to_is_one_clear_error(folder: Path) -> None:
    """It is said before the file is touched, and it can be read all the time."""
    path = folder / "profiles.json"
    path.write_text(text_of(0))
    folder.chmod(0o555)
    with without_rights(), pytest.raises(ConfigError, match=r"^\S+: cannot be written: permission denied$"):
        next_version(path)
    with without_rights():
        assert read_or_last_good(path, number_of) == (0, None)
    assert [entry.name for entry in folder.iterdir()] == ["profiles.json"]


def test_a_file_that_is_protected_is_not_replaced(folder: Path) -> None:
    """The rights of the folder would allow it; who took them from the file did not mean so."""
    path = folder / "profiles.json"
    path.write_text(text_of(0))
    path.chmod(0o444)
    folder.chmod(0o777)
    with without_rights(), pytest.raises(ConfigError, match=r"cannot be written: it is read-only$"):
        next_version(path)
    assert path.read_text() == text_of(0)


def test_rights_that_are_lost_in_the_middle_lose_no_version(folder: Path) -> None:
    """Where none can be kept, one change goes without its copy; the next would lose what it replaces."""
    path = folder / "profiles.json"
    folder.chmod(0o777)
    with without_rights():
        change(path, lambda _: text_of(0), check=number_of)
    (folder / ".backups").chmod(0o555)
    with without_rights():
        next_version(path)
        with pytest.raises(ConfigError, match=r"cannot be written: permission denied$"):
            next_version(path)
    assert path.read_text() == text_of(1)
    (folder / ".backups").chmod(0o755)
    with without_rights():
        next_version(path)
    assert [number_of(each.path.read_text()) for each in listed(path)] == [2, 1, 0]


def test_a_file_that_one_may_not_read_is_an_error_and_not_damage(folder: Path) -> None:
    """Its last good version is not used in its place: it may say something else by now."""
    path = folder / "profiles.json"
    folder.chmod(0o777)
    with without_rights():
        change(path, lambda _: text_of(0), check=number_of)
    path.chmod(0)
    with without_rights():
        with pytest.raises(ConfigError, match=r"cannot be read: permission denied$"):
            read_or_last_good(path, number_of)
        with pytest.raises(ConfigError, match=r": permission denied$"):
            next_version(path)
        with pytest.raises(ConfigError, match=r": permission denied$"):
            restoring.plan(path)
    path.chmod(0o644)
    assert read_or_last_good(path, number_of) == (0, None)
