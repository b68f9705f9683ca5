"""Files include files of their folder and of nowhere else; each value knows the file that it stands in."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gemma_eval.errors import SuiteError
from gemma_eval.importers import sheet


def said(path: Path, root: Path | None = None) -> list[str]:
    """Return what is wrong with a file."""
    with pytest.raises(SuiteError) as caught:
        sheet.load(path, root=root)
    return [f"{problem.path.name}:{problem.line}: {problem.what}" for problem in caught.value.problems]


def write(folder: Path, **files: str) -> Path:
    """Write files, and return the path of the first."""
    folder.mkdir(exist_ok=True)
    paths = [folder / f"{name}.yaml" for name in files]
    for path, text in zip(paths, files.values(), strict=True):
        path.write_text(text, encoding="utf-8")
    return paths[0]


def test_a_file_says_more_than_what_it_includes(tmp_path: Path) -> None:
    """Later includes win over earlier ones, the file itself over all; a key is taken as a whole."""
    path = write(
        tmp_path,
        task="include: [base.yaml, more.yaml]\na: own\n",
        base="a: base\nb: {x: 1, y: 2}\nc: base\n",
        more="b: {z: 3}\n",
    )
    found = sheet.load(path)
    assert found.table == {"a": "own", "b": {"z": 3}, "c": "base"}
    assert found.places[("a",)] == (path, 2)
    assert found.places[("b", "z")][0].name == "more.yaml"
    assert ("b", "x") not in found.places
    assert list(found.sources) == ["task.yaml", "base.yaml", "more.yaml"]


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("/etc/passwd", "is not a path inside the folder"),
        ("../../etc/passwd", "leads out of"),
        ("../secret.yaml", "leads out of"),
        ("link.yaml", "leads out of"),
        ("~/x.yaml", "is not a path inside the folder"),
        ("..\\\\secret.yaml", "is not a path inside the folder"),
        ("nobody.yaml", "does not exist"),
        ("a\\0b", "is not a path inside the folder"),
        ("task.yaml", "leads back to this file"),
        (".", "does not exist"),
    ],
)
def test_an_include_stays_in_the_folder(tmp_path: Path, name: str, what: str) -> None:
    """By no path, link or device; the secret is not in the message either."""
    (tmp_path / "secret.yaml").write_text("secret: hunter2\n")
    path = write(tmp_path / "tasks", task=f'a: 1\ninclude: "{name}"\n')
    (tmp_path / "tasks" / "link.yaml").symlink_to(tmp_path / "secret.yaml")
    found = said(path)
    assert len(found) == 1
    assert found[0].startswith("task.yaml:2: include ")
    assert what in found[0]
    assert "hunter2" not in found[0]


def test_a_wider_root_allows_an_include_from_beside(tmp_path: Path) -> None:
    """Whoever imports says so; the file cannot."""
    path = write(tmp_path / "tasks", task="include: ../base.yaml\n")
    write(tmp_path, base="a: 1\n")
    assert sheet.load(path, root=tmp_path).table == {"a": 1}


def test_files_that_include_one_another_are_refused(tmp_path: Path) -> None:
    """A circle of two, named where it closes."""
    path = write(tmp_path, task="include: other.yaml\n", other="include: task.yaml\n")
    assert said(path) == ['other.yaml:1: include "task.yaml" leads back to this file; remove one of them']


def test_a_file_may_be_included_by_two_others(tmp_path: Path) -> None:
    """That is no circle."""
    path = write(
        tmp_path, task="include: [b.yaml, c.yaml]\n", b="include: d.yaml\n", c="include: d.yaml\n", d="x: 1\n"
    )
    assert sheet.load(path).table == {"x": 1}


def test_includes_cannot_multiply(tmp_path: Path) -> None:
    """Each of 40 files of one name includes the next one twice: that would be 2^40 readings."""
    folder = tmp_path
    for _ in range(40):
        write(folder, task="include: [in/task.yaml, in/task.yaml]\n")
        folder /= "in"
    write(folder, task="a: 1\n")
    assert "includes more than 32 files" in said(tmp_path / "task.yaml")[0]


def test_a_pipe_is_no_file(tmp_path: Path) -> None:
    """Opening it would wait for ever."""
    path = write(tmp_path, task="include: pipe\n")
    os.mkfifo(tmp_path / "pipe")
    assert said(path) == ['task.yaml:1: include "pipe" does not exist']


def test_tags_of_an_included_file_have_its_name(tmp_path: Path) -> None:
    """All problems of all files at once."""
    path = write(tmp_path, task="include: base.yaml\na: !function x.y\n", base="b: 1\nc: !function x.z\n")
    assert [line.partition(": ")[0] for line in said(path)] == ["base.yaml:2", "task.yaml:2"]


def test_a_file_that_is_too_large_or_no_utf_8_is_refused(tmp_path: Path) -> None:
    """A line of 10 MB, and bytes of another encoding."""
    path = write(tmp_path, task="x")
    path.write_bytes(b"a: " + b"x" * 10_000_000)
    assert "is larger than 1,048,576 bytes" in said(path)[0]
    path.write_bytes(b"a: 1\nb: \xff\n")
    assert said(path) == ["task.yaml:2: is not UTF-8 here; save it as UTF-8"]
