"""What gates found is written for other programs, whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

import pytest

from gemma_eval.errors import UsageError
from gemma_eval.gating.files import Format, append_summary, write
from gemma_eval.records import Gating, Report
from gemma_eval.run import make_report
from tests.examples import a_run, an_outcome

GATING = Gating(candidate="run", base="base", found="main", blocks=0, gated=())


def a_report(gating: Gating | None) -> Report:
    """Return the report of a run that was held against something, or not."""
    made = make_report(a_run("run"), (an_outcome(),))
    return Report(run=made.run, outcomes=made.outcomes, summaries=made.summaries, gating=gating)


@pytest.mark.parametrize("name", get_args(Format))
@pytest.mark.parametrize("gating", [None, GATING])
def test_every_format_is_written_in_a_folder_that_is_made(
    name: Format, gating: Gating | None, tmp_path: Path
) -> None:
    """Also of a run that was held against nothing; nothing else is left there."""
    path = tmp_path / "new" / "file"
    path.parent.mkdir()
    path.write_text("what was there before")
    write(name, path, a_report(gating))
    text = path.read_text()
    assert text
    assert "what was there before" not in text
    assert list(path.parent.iterdir()) == [path]
    if name != "github":
        json.loads(text)


def test_a_folder_that_is_not_there_is_made(tmp_path: Path) -> None:
    """With those above it."""
    write("json", tmp_path / "a" / "b" / "gates.json", a_report(None))
    assert (tmp_path / "a" / "b" / "gates.json").is_file()


def test_a_summary_is_appended_to_what_others_wrote(tmp_path: Path) -> None:
    """The file is of all that a step does."""
    path = tmp_path / "summary.md"
    path.write_text("before\n")
    append_summary(path, GATING)
    append_summary(path, GATING)
    first, rest = path.read_text().split("\n", 1)
    assert first == "before"
    half = len(rest) // 2
    assert rest[:half] == rest[half:]
    assert rest.endswith("\n")


def test_a_path_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """Here a folder is a file, and a file a folder."""
    (tmp_path / "file").write_text("")
    (tmp_path / "here").mkdir()
    with pytest.raises(UsageError, match="cannot be written"):
        write("json", tmp_path / "file" / "gates.json", a_report(GATING))
    with pytest.raises(UsageError, match=r"here: cannot be written: Is a directory"):
        append_summary(tmp_path / "here", GATING)
    with pytest.raises(UsageError, match="cannot be written"):
        write("json", tmp_path / "here", a_report(GATING))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "here"]
