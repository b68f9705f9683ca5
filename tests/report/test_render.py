"""The files of a report and the link to the latest one."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from gemma_eval.errors import PluginError, UsageError
from gemma_eval.records import Report
from gemma_eval.report import render
from tests.report.example import Shape, example

REPORT = example(Shape(cases=1))
RUN = REPORT.run.id


@dataclass
class Plain:
    """A reporter that writes what it was given."""

    text: str = "hello"
    file_name: str = "report.txt"

    def render(self, report: Report) -> str:
        """Return the text and the run's id."""
        return f"{self.text} {report.run.id}"


@dataclass
class Broken:
    """A reporter that fails."""

    file_name: str = "broken.txt"

    def render(self, report: Report) -> str:
        """Raise."""
        raise RuntimeError(report.run.id)


def named(run_id: str) -> Report:
    """Return a report of a run with that id."""
    return replace(REPORT, run=replace(REPORT.run, id=run_id))


def test_each_reporter_has_its_file_in_the_folder_of_the_run(tmp_path: Path) -> None:
    """The paths come back in the order of the reporters."""
    paths = render.write(REPORT, reporters=[Plain(), Plain(file_name="b.txt")], folder=tmp_path / "reports")
    assert paths == (tmp_path / "reports" / RUN / "report.txt", tmp_path / "reports" / RUN / "b.txt")
    assert paths[0].read_text() == f"hello {RUN}"
    assert sorted(path.name for path in paths[0].parent.iterdir()) == ["b.txt", "report.txt"]


def test_latest_is_a_relative_link_that_follows_the_newest(tmp_path: Path) -> None:
    """It still works when the folder is moved."""
    render.write(REPORT, reporters=[Plain()], folder=tmp_path)
    render.write(named("newer"), reporters=[Plain()], folder=tmp_path)
    assert (tmp_path / "latest").readlink() == Path("newer")
    assert (tmp_path / "latest" / "report.txt").read_text() == "hello newer"


def test_without_links_a_file_names_the_latest(tmp_path: Path) -> None:
    """Some systems have no links, or not for everyone."""

    def refuse(target: str, path: Path) -> None:
        raise OSError(f"no link from {path} to {target}")

    render._point(tmp_path, "a-run", link=refuse)
    assert (tmp_path / "latest.txt").read_text() == "a-run\n"


def test_a_report_is_written_again_in_place(tmp_path: Path) -> None:
    """The second text replaces the first and nothing is left beside it."""
    render.write(REPORT, reporters=[Plain("old")], folder=tmp_path)
    (path,) = render.write(REPORT, reporters=[Plain("new")], folder=tmp_path)
    assert path.read_text().startswith("new")
    assert list(path.parent.iterdir()) == [path]


def test_a_reporter_that_fails_changes_no_file(tmp_path: Path) -> None:
    """All is rendered before anything is written."""
    (path,) = render.write(REPORT, reporters=[Plain("old")], folder=tmp_path)
    with pytest.raises(RuntimeError):
        render.write(REPORT, reporters=[Plain("new"), Broken()], folder=tmp_path)
    assert path.read_text().startswith("old")


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """A user's mistake, told with the path."""
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"file.*cannot write the report.*choose a folder"):
        render.write(REPORT, reporters=[Plain()], folder=tmp_path / "file" / "reports")


def test_a_file_that_cannot_be_replaced_leaves_nothing_beside_it(tmp_path: Path) -> None:
    """A folder stands where the file goes: said, and cleaned up after."""
    taken = tmp_path / RUN / "report.txt"
    taken.mkdir(parents=True)
    with pytest.raises(UsageError, match="cannot write the report"):
        render.write(REPORT, reporters=[Plain()], folder=tmp_path)
    assert list(taken.parent.iterdir()) == [taken]


def test_a_read_only_folder_is_named(tmp_path: Path) -> None:
    """The same for a folder without the right to write, which root has everywhere and so gives up here."""
    tmp_path.chmod(0o555)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        with pytest.raises(UsageError, match="cannot write the report"):
            render.write(REPORT, reporters=[Plain()], folder=tmp_path)
    finally:
        os.seteuid(user)


def test_a_folder_in_the_place_of_the_link_is_not_touched(tmp_path: Path) -> None:
    """Somebody made it; nothing is written."""
    (tmp_path / "latest").mkdir()
    with pytest.raises(UsageError, match="move it away"):
        render.write(REPORT, reporters=[Plain()], folder=tmp_path)
    assert list(tmp_path.iterdir()) == [tmp_path / "latest"]


@pytest.mark.parametrize(
    "run_id", ["", ".", "..", "../up", "/etc", "a\\b", "c:", "nul\0", "new\nline", "latest"]
)
def test_a_run_stays_in_the_folder(tmp_path: Path, run_id: str) -> None:
    """An id from somebody's database cannot lead elsewhere."""
    with pytest.raises(UsageError, match="its id names a folder"):
        render.write(named(run_id), reporters=[Plain()], folder=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_reporter_stays_in_the_folder(tmp_path: Path) -> None:
    """Nor can a plugin's file name."""
    with pytest.raises(PluginError, match="a plain name would be right"):
        render.write(REPORT, reporters=[Plain(file_name="../up.html")], folder=tmp_path)


def test_text_that_utf8_cannot_hold_is_escaped(tmp_path: Path) -> None:
    """A lone surrogate in an answer does not cost the report."""
    (path,) = render.write(REPORT, reporters=[Plain("\udc80")], folder=tmp_path)
    assert path.read_text().startswith("\\udc80")
