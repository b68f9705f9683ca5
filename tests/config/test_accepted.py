"""What was accepted is read back as it was written, and a file that people edit keeps their text."""

from __future__ import annotations

import stat
import tempfile
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gemma_eval.config.accepted import HEAD, accept, expiry, load_accepted
from gemma_eval.errors import ConfigError, UsageError
from gemma_eval.records import Acceptance

ONE = Acceptance(
    gate="score",
    group="pocket/greedy/rag",
    difference=0.031,
    low=0.022,
    reason="The new template is shorter.",
    author="Ada",
    run="20261101-120000-abcd",
    commit="0123abc",
    accepted="2026-11-01",
    expires="2026-12-01",
)
OTHER = replace(ONE, gate="ttft_s", low=None, commit=None, reason='a "quoted"\nline \\ \x7f\x00')

WRITTEN = """\
[[accepted]]
gate = "score"
group = "pocket/greedy/rag"
difference = 0.031
low = 0.022
reason = "The new template is shorter."
author = "Ada"
run = "20261101-120000-abcd"
commit = "0123abc"
accepted = "2026-11-01"
expires = "2026-12-01"
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where the file goes; it is not there yet."""
    return tmp_path / "gemma-accepted.toml"


def said(path: Path, text: str | bytes) -> list[str]:
    """Return what is wrong with such a file as `line: what`."""
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    try:
        load_accepted(path)
    except ConfigError as error:
        return [f"{problem.line}: {problem.what}" for problem in error.problems]
    return []


def test_a_file_that_is_not_there_has_accepted_nothing(path: Path) -> None:
    """Nobody has to make an empty one."""
    assert load_accepted(path) == ()


def test_an_acceptance_is_one_table_with_a_line_per_key(path: Path) -> None:
    """So that a review sees what was accepted, why and by whom."""
    accept(path, ONE)
    assert path.read_text() == f"{HEAD}\n{WRITTEN}"
    assert load_accepted(path) == (ONE,)


def test_a_second_one_follows_and_nothing_before_it_changes(path: Path) -> None:
    """Comments, blank lines and the order of keys are a person's."""
    mine = f"# mine\n\n{WRITTEN}   # kept\n"
    path.write_text(mine)
    accept(path, OTHER)
    text = path.read_text()
    assert text.startswith(mine + "\n[[accepted]]\n")
    assert text.count("\n[[accepted]]\n") == 2
    assert load_accepted(path) == (ONE, OTHER)


def test_line_ends_are_those_of_the_file(path: Path) -> None:
    """Also where the last line has none."""
    path.write_bytes(WRITTEN.rstrip("\n").replace("\n", "\r\n").encode())
    accept(path, OTHER)
    data = path.read_bytes()
    assert data.count(b"\n") == data.count(b"\r\n")
    assert load_accepted(path) == (ONE, OTHER)


def test_a_link_stays_a_link_and_the_file_keeps_its_rights(path: Path, tmp_path: Path) -> None:
    """What is replaced is the file that the link means."""
    real = tmp_path / "real.toml"
    real.write_text(WRITTEN)
    real.chmod(0o640)
    path.symlink_to(real)
    accept(path, OTHER)
    assert path.is_symlink()
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert load_accepted(real) == (ONE, OTHER)


def test_a_file_with_a_problem_is_not_added_to(path: Path) -> None:
    """It stays byte by byte what it was, and no other file is left."""
    path.write_text("[[accepted]]\ngat = 1\n")
    with pytest.raises(ConfigError, match="gat"):
        accept(path, ONE)
    assert path.read_text() == "[[accepted]]\ngat = 1\n"
    assert list(path.parent.iterdir()) == [path]


def test_a_list_in_brackets_cannot_be_added_to(path: Path) -> None:
    """TOML has no way to; the file stays, and the message says what would be right."""
    text = "accepted = []\n"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"as a table below \[\[accepted\]\]"):
        accept(path, ONE)
    assert path.read_text() == text
    assert list(path.parent.iterdir()) == [path]


def test_a_folder_that_is_not_there_is_told(path: Path) -> None:
    """In one line."""
    with pytest.raises(ConfigError, match="cannot be written: no such file"):
        accept(path.parent / "none" / "a.toml", ONE)


def test_half_a_letter_is_refused(path: Path) -> None:
    """As a terminal may give it."""
    with pytest.raises(ConfigError, match="cannot hold the reason"):
        accept(path, replace(ONE, reason="a\udc80"))
    assert not path.exists()


FILLED = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(lambda text: text.strip() != "")


@settings(max_examples=80, deadline=None)
@given(FILLED, FILLED, st.floats(allow_nan=False, allow_infinity=False))
@example('"""', "'''", 1e-300)
@example("\x7f\x00\x1f\u2028\x85", "\\u0041 \\", 5e-324)
def test_any_text_and_number_come_back(reason: str, author: str, difference: float) -> None:
    """Written by us, read by Python's own parser and by us."""
    acceptance = replace(ONE, reason=reason, author=author, difference=difference)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.toml"
        accept(path, ONE)
        accept(path, acceptance)
        table = tomllib.loads(path.read_bytes().decode())["accepted"][1]
        assert (table["reason"], table["author"], table["difference"]) == (reason, author, difference)
        assert load_accepted(path) == (ONE, acceptance)


@pytest.mark.parametrize(
    ("was", "now", "problem"),
    [
        ('gate = "score"', "", '1: accepted number 1: needs gate, as gate = "score"'),
        ('reason = "The new template is shorter."', 'reason = " "', '6: accepted "score": reason is empty'),
        ('author = "Ada"', "", '1: accepted "score": needs author, as author = "…"'),
        (
            'group = "pocket/greedy/rag"',
            'group = "pocket/greedy"',
            (
                '3: accepted "score": group is "pocket/greedy"; it should be "model/profile/template", '
                'with "/retrieval" if that has a name, or the full name of a test'
            ),
        ),
        (
            "difference = 0.031",
            'difference = "3%"',
            '4: accepted "score": difference is "3%"; it should be a number',
        ),
        (
            'expires = "2026-12-01"',
            'expires = "2026-02-30"',
            '11: accepted "score": expires is "2026-02-30"; it should be a day, as "2026-12-24"',
        ),
        (
            'expires = "2026-12-01"',
            "expires = 2026-12-01T10:00:00",
            '11: accepted "score": expires is 2026-12-01T10:00:00; it should be a day, as "2026-12-24"',
        ),
        (
            "low = 0.022",
            "lwo = 0.022",
            '5: accepted "score": unknown key "lwo"; did you mean "low"?',
        ),
    ],
)
def test_a_mistake_is_named(path: Path, was: str, now: str, problem: str) -> None:
    """Where it is, what is wrong, and what would be right."""
    assert said(path, WRITTEN.replace(was, now)) == [problem]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("accepted = 1\n", "1: accepted should be a list of tables; begin each with [[accepted]]"),
        ("accepted = [1]\n", "1: accepted number 1: is 1; it should be a table"),
        ("acepted = 1\n", '1: unknown key "acepted"; did you mean "accepted"?'),
        ("x", "1: is not TOML"),
        (b"\xff", "1: is not UTF-8 here"),
    ],
)
def test_a_file_that_is_none_is_refused(path: Path, text: str | bytes, problem: str) -> None:
    """With the line."""
    (found,) = said(path, text)
    assert found.startswith(problem)


def test_a_day_may_be_written_without_quotes(path: Path) -> None:
    """As TOML writes days."""
    path.write_text(WRITTEN.replace('"2026-12-01"', "2026-12-01"))
    assert load_accepted(path) == (ONE,)


def test_the_file_names_the_page_that_tells_of_it() -> None:
    """Where it is told how acceptances are read."""
    (page,) = [word for word in HEAD.split() if word.startswith("docs/")]
    assert "gemma-accepted.toml" in (Path(__file__).parents[2] / page).read_text()
    assert page == "docs/gate_files.md"


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("30d", "2026-12-24"),
        ("1d", "2026-11-25"),
        ("2w", "2026-12-08"),
        ("14d", "2026-12-08"),
        ("2026-12-24", "2026-12-24"),
        ("2026-11-24", "2026-11-24"),
        ("462d", "2028-02-29"),
    ],
)
def test_a_time_to_expire_is_a_day(text: str, day: str) -> None:
    """Counted from today; a leap day is one."""
    assert expiry(text, today="2026-11-24") == day


@pytest.mark.parametrize(
    "text", ["", "30", "0d", "-1d", "d", "1.5d", "30 d", "99999w9", "2026-13-01", "\u0663d"]
)
def test_what_is_no_time_is_refused(text: str) -> None:
    """With what would be one."""
    with pytest.raises(UsageError, match="give days or weeks as 30d or 2w, or a day"):
        expiry(text, today="2026-11-24")


def test_times_that_are_over_or_beyond_the_calendar_are_refused() -> None:
    """Neither can be meant."""
    with pytest.raises(UsageError, match="2026-11-23 is over"):
        expiry("2026-11-23", today="2026-11-24")
    with pytest.raises(UsageError, match="no time to expire"):
        expiry("99999w", today="9000-01-01")
