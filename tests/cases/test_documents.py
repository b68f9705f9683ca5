"""Documents come from the folder of the suite and from nowhere else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gemma_eval.cases.documents import Folder
from gemma_eval.files.read import ReadError
from tests.cases.suites import CASE, DEFAULTS, said


@pytest.mark.parametrize(
    "name",
    [
        "/etc/passwd",
        "../outside.md",
        "docs/../../outside.md",
        "docs/../inside.md",
        "~/x.md",
        "~root/x.md",
        "C:\\x.md",
        "c:x.md",
        "docs\\x.md",
        "a\0b",
        "a\nb",
        "file:///etc/passwd",
        "http://example.org/x.md",
        "%2e%2e/outside.md",
        "docs%2Fx.md",
    ],
)
def test_a_name_that_could_lead_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    """Whatever lies there, it is not even looked at."""
    (tmp_path / "outside.md").write_text("secret")
    suite = tmp_path / "suite"
    (suite / "docs").mkdir(parents=True)
    with pytest.raises(ReadError, match="is not a path inside the folder of the suite"):
        Folder(suite).text(name)


def test_a_link_out_of_the_folder_is_refused_and_one_inside_is_followed(tmp_path: Path) -> None:
    """What counts is where a name leads in the end."""
    (tmp_path / "secret.md").write_text("secret")
    suite = tmp_path / "suite"
    suite.mkdir()
    (suite / "own.md").write_text("own")
    (suite / "alias.md").symlink_to(suite / "own.md")
    (suite / "escape.md").symlink_to(tmp_path / "secret.md")
    (suite / "up").symlink_to(tmp_path)
    (suite / "round").symlink_to(suite / "round")
    folder = Folder(suite)
    assert folder.text("alias.md") == "own"
    for name in ("escape.md", "up/secret.md"):
        with pytest.raises(ReadError, match="leads out of the folder"):
            folder.text(name)
    with pytest.raises(ReadError):
        folder.text("round")


def test_absent_folders_pipes_and_damaged_text_are_refused(tmp_path: Path) -> None:
    """Nothing hangs and nothing is guessed."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "bad.md").write_bytes(b"fine\n\xff\n")
    (tmp_path / "sub").mkdir()
    text = DEFAULTS + CASE + 'documents = ["no.md", "pipe", "bad.md", "sub", "../x", "' + "a" * 300 + '"]\n'
    problems = [problem.removeprefix('9: case "a": ') for problem in said(tmp_path, text)]
    assert problems[0].startswith('documents[0] "no.md" does not exist in ')
    assert problems[1] == 'documents[1] "pipe" is not a regular file'
    assert problems[2] == 'documents[2] "bad.md" in line 2 is not UTF-8 here; save it as UTF-8'
    assert problems[3] == 'documents[3] "sub" cannot be read: is a directory'
    assert problems[4].startswith('documents[4] "../x" is not a path inside the folder of the suite')
    assert problems[5].endswith("is not a possible path")


def test_a_document_is_read_once(tmp_path: Path) -> None:
    """All cases of a suite see the same bytes, and so does its hash."""
    (tmp_path / "a.md").write_text("first")
    folder = Folder(tmp_path)
    assert folder.text("a.md") == "first"
    (tmp_path / "a.md").write_text("second")
    assert folder.text("a.md") == "first"
    assert folder.bytes_of == {"a.md": b"first"}


def test_a_folder_may_hold_a_name_that_is_no_text(tmp_path: Path) -> None:
    """It is part of the hash; who reads the file says what is wrong with its name."""
    digests = set()
    for folder, name in (("a", "\udcff.md"), ("b", "\udcfe.md")):
        (tmp_path / folder).mkdir()
        try:
            (tmp_path / folder / name).write_text("Finn lives in Oslo.")
        except OSError:
            pytest.skip("this file system has no such names")
        digests.add(Folder(tmp_path).digest(folder))
    assert len(digests) == 2
