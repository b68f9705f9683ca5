"""Earlier versions are kept in the order in which they were, each once, and the newest good one is found."""

from __future__ import annotations

import json
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemma_eval.config.backups import FOLDER, Clock, keep, last_good, listed, set_aside
from gemma_eval.errors import ConfigError, Problem

SECOND = 1_000_000_000
NOON = int(datetime(2026, 11, 29, 12, tzinfo=UTC).timestamp()) * SECOND


def a_number(text: str) -> int:
    """Read a text that is a JSON number; raises as the readers of files do."""
    try:
        return int(json.loads(text))
    except ValueError as error:
        raise ConfigError([Problem(path=Path("file"), line=1, what="is no number")]) from error


def at(after: int) -> Clock:
    """Return a clock that stands still, so many nanoseconds after noon."""
    return lambda: NOON + after


def texts(path: Path) -> list[str]:
    """Return the versions of a file, the newest first."""
    return [each.path.read_text() for each in listed(path)]


def test_a_version_is_named_by_its_time(tmp_path: Path) -> None:
    """So that the names, sorted, are in order; the folder has them and is ignored by git."""
    path = tmp_path / "models.toml"
    first = keep(path, b"1", most=9, now=at(123_456_789))
    assert first == tmp_path / FOLDER / "models.toml.20261129T120000.123456Z"
    assert first.read_bytes() == b"1"
    second = keep(path, b"2", most=9, now=at(SECOND))
    assert [each.path for each in listed(path)] == [second, first]
    assert listed(path)[0].when == "2026-11-29 12:00:01 UTC"
    assert min(entry.name for entry in (tmp_path / FOLDER).iterdir()) == ".gitignore"


def test_a_version_is_for_nobody_whom_the_file_is_not_for(tmp_path: Path) -> None:
    """It has the rights of the file, and so has what is set aside."""
    path = tmp_path / "settings.yaml"
    path.write_text("version: 1\n")
    path.chmod(0o600)
    for place in (keep(path, b"a", most=2), set_aside(path, b"b", most=2)):
        assert stat.S_IMODE(place.stat().st_mode) == 0o600
    assert stat.S_IMODE(keep(tmp_path / "absent.yaml", b"a", most=2).stat().st_mode) & 0o400


@pytest.mark.parametrize("after", [0, -3600 * SECOND])
def test_the_order_is_kept_when_the_clock_stands_still_or_is_set_back(tmp_path: Path, after: int) -> None:
    """A version is always newer than those before it."""
    path = tmp_path / "file"
    for number in range(5):
        keep(path, f"{number}".encode(), most=9, now=at(number * after))
    assert texts(path) == ["4", "3", "2", "1", "0"]


@given(st.lists(st.integers(0, 5), min_size=1, max_size=12), st.integers(1, 4))
def test_the_newest_are_kept_and_none_of_them_twice(
    tmp_path_factory: pytest.TempPathFactory, contents: list[int], most: int
) -> None:
    """A version that comes again is the newest one again."""
    path = tmp_path_factory.mktemp("kept") / "file"
    for number, content in enumerate(contents):
        keep(path, f"{content}".encode(), most=most, now=at(number * SECOND))
    newest = list(dict.fromkeys(reversed(contents)))[:most]
    assert texts(path)[0] == f"{contents[-1]}"
    if len(set(contents)) <= most:
        assert texts(path) == [f"{content}" for content in newest]
    assert len(set(texts(path))) == len(texts(path)) <= most


def test_files_beside_each_other_have_versions_of_their_own(tmp_path: Path) -> None:
    """Also when the name of one begins with that of the other."""
    for name in ("a", "a.b", "a.damaged-1"):
        keep(tmp_path / name, name.encode(), most=9)
    assert [texts(tmp_path / name) for name in ("a", "a.b", "a.damaged-1", "b")] == [
        ["a"],
        ["a.b"],
        ["a.damaged-1"],
        [],
    ]


def test_the_versions_of_a_link_are_those_of_what_it_leads_to(tmp_path: Path) -> None:
    """A file in a folder of dotfiles, say."""
    (tmp_path / "dotfiles").mkdir()
    real, link = tmp_path / "dotfiles" / "real", tmp_path / "link"
    link.symlink_to(real)
    keep(link, b"1", most=9)
    assert texts(real) == texts(link) == ["1"]
    assert not (tmp_path / FOLDER).exists()


def test_the_last_good_one_is_the_newest_that_can_be_read(tmp_path: Path) -> None:
    """What is no number, no text, or is none of ours is passed over."""
    path = tmp_path / "file"
    assert last_good(path, a_number) is None
    for data in (b"1", b"2", b"no", b"\xff"):
        keep(path, data, most=9)
    (tmp_path / FOLDER / "file.99991231T000000.000000").write_text("3")
    (tmp_path / FOLDER / "file.20269999T000000.000000Z").write_text("4")
    (tmp_path / FOLDER / "file.99990101T000000.000000Z").mkdir()
    good = last_good(path, a_number)
    assert good is not None
    assert (good.value, good.text) == (2, "2")


def test_what_is_damaged_is_kept_beside_the_versions(tmp_path: Path) -> None:
    """It is none of them, and no more of it is kept than of them."""
    path = tmp_path / "file"
    keep(path, b"1", most=9)
    places = [set_aside(path, b"\0", most=2, now=at(0)) for _ in range(3)]
    assert places[0] == tmp_path / FOLDER / "file.damaged-20261129T120000.000000Z"
    assert [place.exists() for place in places] == [False, True, True]
    assert texts(path) == ["1"]
