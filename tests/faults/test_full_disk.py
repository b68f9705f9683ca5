"""A disk that is full or read-only is a clear error, and what was acknowledged before stays readable."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = "tests.faults.on_a_bad_disk"
ROOT = Path(__file__).parents[2]


def on(mount: str, folder: Path, *arguments: str) -> dict[str, object]:
    """Run the script in a mount namespace of its own, after `mount` has prepared `folder`."""
    inside = f'{mount} && exec "$@"'
    command = ["unshare", "--mount", "bash", "-c", inside, "bash", sys.executable, "-m", SCRIPT, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    result: dict[str, object] = json.loads(done.stdout)
    return result


needs_mounts = pytest.mark.skipif(
    shutil.which("unshare") is None
    or subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode != 0,
    reason="needs the right to mount file systems (unshare --mount)",
)


@needs_mounts
def test_a_full_disk_stops_the_run_and_keeps_what_was_acknowledged(tmp_path: Path) -> None:
    """2 MB of disk: some trials fit, then one clear error, and every acknowledged trial is there."""
    mount = f'mount -t tmpfs -o size=2m tmpfs "{tmp_path}"'
    result = on(mount, tmp_path, "fill", str(tmp_path / "results.db"))
    acknowledged = result["acknowledged"]
    assert isinstance(acknowledged, int)
    assert acknowledged > 10
    assert result["recorded"] == acknowledged
    assert "the disk is full" in str(result["error"])


@needs_mounts
def test_a_disk_too_small_for_the_tables_keeps_nothing(tmp_path: Path) -> None:
    """A database that could not be made is not left half-made."""
    mount = f'mount -t tmpfs -o size=16k tmpfs "{tmp_path}"'
    result = on(mount, tmp_path, "fill", str(tmp_path / "results.db"))
    assert "disk" in str(result["error"])
    assert result["files"] == []


@needs_mounts
def test_a_read_only_folder_can_be_read_and_not_written(tmp_path: Path) -> None:
    """The finished database is one plain file that needs no second one beside it."""
    on("true", tmp_path, "record", str(tmp_path / "results.db"))
    mount = f'mount --bind "{tmp_path}" "{tmp_path}" && mount -o remount,ro,bind "{tmp_path}"'
    result = on(mount, tmp_path, "record", str(tmp_path / "results.db"))
    assert "Read-only file system" in str(result["error"])
    assert result["recorded"] == 20


@needs_mounts
@pytest.mark.parametrize("left", ["with its WAL", "without"])
def test_a_killed_run_can_be_read_from_a_read_only_folder(left: str, tmp_path: Path) -> None:
    """As a copied or archived folder has it: the WAL and its index beside the database, or neither."""
    mode = "die" if left == "with its WAL" else "stay in WAL"
    on("true", tmp_path, mode, str(tmp_path / "results.db"))
    mount = f'mount --bind "{tmp_path}" "{tmp_path}" && mount -o remount,ro,bind "{tmp_path}"'
    assert on(mount, tmp_path, "read", str(tmp_path / "results.db"))["recorded"] == 20
