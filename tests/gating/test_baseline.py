"""Which run a name of `--gemma-baseline` stands for, and what is said where there is none."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gemma_eval.errors import GemmaEvalError, StoreError, UnknownName, UsageError
from gemma_eval.gating.baseline import Baseline, find
from gemma_eval.records import Noise
from gemma_eval.store.write import open_store
from tests.examples import a_run, an_outcome
from tests.gating import repository
from tests.gating.repository import Repository, record, run_of

CANDIDATE = run_of("f" * 40, "candidate")


@pytest.fixture
def here(tmp_path: Path) -> Repository:
    """A repository with one commit."""
    found = repository.made(tmp_path / "project")
    found.commit("first")
    return found


@pytest.fixture
def database(here: Repository) -> Path:
    """Return where runs are recorded."""
    return here.folder / "results.db"


def found_by(name: str, database: Path, **changes: Any) -> Baseline:  # noqa: ANN401 - fields of a run
    """Return what a name stands for."""
    return find(name, replace(CANDIDATE, **changes), database=database, folder=database.parent)


def id_of(found: Baseline) -> str | None:
    """Return the id of the run that was found."""
    return None if found.run is None else found.run.id


def test_auto_is_the_newest_run_at_the_merge_base(here: Repository, database: Path) -> None:
    """Not one of the branch's own commits, however new."""
    parted = here.commit("second")
    here.git("checkout", "--quiet", "-b", "topic")
    own = here.commit("own")
    for run_id, commit in (("older", parted), ("newer", parted), ("own", own)):
        record(database, run_of(commit, run_id))
    found = found_by("auto", database)
    assert id_of(found) == "newer"
    assert found.found == f"run newer, the newest clean one at the merge-base {parted[:10]}"
    assert found.outcomes() == (an_outcome(),)
    assert id_of(found_by("merge-base:main", database)) == "newer"
    assert id_of(found_by("merge-base:topic", database)) == "own"


def test_where_the_merge_base_has_no_run_the_nearest_commit_before_it_has(
    here: Repository, database: Path
) -> None:
    """Along the branch: not one that was merged into it, and none that came later."""
    first = here.git("rev-parse", "HEAD")
    here.git("checkout", "--quiet", "-b", "merged")
    merged = here.commit("merged")
    here.git("checkout", "--quiet", "main")
    second = here.commit("second")
    here.git("merge", "--quiet", "--no-ff", "--strategy=ours", "--message", "join", "merged")
    joined = here.git("rev-parse", "HEAD")
    here.git("checkout", "--quiet", "-b", "topic")
    here.git("checkout", "--quiet", "main")
    later = here.commit("later")
    here.git("checkout", "--quiet", "topic")
    for run_id, commit in (("second", second), ("first", first), ("merged", merged), ("later", later)):
        record(database, run_of(commit, run_id))
    found = found_by("auto", database)
    assert id_of(found) == "second"
    told = "run second, the newest clean one at the nearest commit before the merge-base"
    assert found.found == f"{told} {joined[:10]}"


@pytest.mark.parametrize(
    ("changes", "noise", "is_done", "said"),
    [
        ({}, Noise(reasons=("others took 40 %",)), True, "noisy ones"),
        ({}, None, False, "interrupted ones"),
        ({"selection": "part"}, None, True, "ones of a part of the suite"),
        ({"selection": "matrix"}, None, True, "ones of a part of the suite"),
        ({"suites": ("other",)}, None, True, "ones of other suites"),
        ({"commit": None}, None, True, "ones of no commit"),
        ({"commit": "-dirty"}, None, True, "ones of files that were not committed"),
        ({"host": replace(CANDIDATE.host, cpu="another")}, None, True, "ones of another machine"),
    ],
)
def test_a_run_that_is_no_baseline_is_passed_over_and_said(
    here: Repository,
    database: Path,
    changes: Mapping[str, Any],
    noise: Noise | None,
    is_done: bool,
    said: str,
) -> None:
    """The good one before it is taken; without one there is no base, which is no error."""
    commit = here.git("rev-parse", "HEAD")
    dirty = {**changes, "commit": f"{commit}-dirty"} if changes.get("commit") == "-dirty" else changes
    bad = replace(run_of(commit, "bad"), **dirty)
    record(database, bad, noise=noise, is_done=is_done)
    found = found_by("auto", database)
    assert id_of(found) is None
    assert found.outcomes() == ()
    assert found.found == (
        f"no base: no clean run of example at the merge-base {commit[:10]} or before (1 are recorded: {said})"
    )
    record(database, run_of(commit, "good"))
    record(database, replace(bad, id="worse"), noise=noise, is_done=is_done)
    assert id_of(found_by("auto", database)) == "good"


def test_a_run_of_chosen_models_may_be_held_against_another_such(here: Repository, database: Path) -> None:
    """Whole suites need whole ones."""
    commit = here.git("rev-parse", "HEAD")
    record(database, replace(run_of(commit, "matrix"), selection="matrix"))
    assert id_of(found_by("auto", database, selection="matrix")) == "matrix"
    assert id_of(found_by("auto", database)) is None


def test_the_candidate_is_not_its_own_base(here: Repository, database: Path) -> None:
    """Nor is a run of another commit."""
    commit = here.git("rev-parse", "HEAD")
    record(database, run_of(commit, "candidate"))
    record(database, run_of("0" * 40, "other"))
    found = found_by("auto", database)
    assert id_of(found) is None
    assert found.found.endswith("(1 are recorded: of other commits)")


def test_auto_needs_no_repository_and_no_database(tmp_path: Path, here: Repository, database: Path) -> None:
    """There is no base yet; a commit that is named must be there."""
    found = find("auto", CANDIDATE, database=database, folder=tmp_path)
    assert id_of(found) is None
    assert "no base: " in found.found
    assert "not a git repository" in found.found
    assert found_by("auto", database).found == "no base: no run is recorded yet"
    with pytest.raises(UsageError, match="not a git repository"):
        find("merge-base:main", CANDIDATE, database=database, folder=tmp_path)
    with pytest.raises(UsageError, match="git knows no commit 'mian' here"):
        found_by("merge-base:mian", database)
    here.git("status")


def test_a_run_is_found_by_its_id_and_by_a_name_that_it_was_given(database: Path) -> None:
    """Whatever it is like: who names it wants it."""
    record(database, run_of(None, "one"), noise=Noise(reasons=("busy",)))
    record(database, run_of(None, "candidate"))
    with closing(open_store(database)) as store:
        store.set_baseline("main", "one")
    assert found_by("one", database).found == "run one"
    assert found_by("main", database).found == "run one, baseline main"
    assert id_of(found_by("main", database)) == "one"
    with pytest.raises(UsageError, match="baseline candidate is run candidate, which would be held against"):
        found_by("candidate", database)


def test_where_no_main_branch_is_known_head_is_taken_and_said(here: Repository, database: Path) -> None:
    """It is no merge-base."""
    first = here.git("rev-parse", "HEAD")
    here.git("branch", "--move", "work")
    start = f"HEAD {first[:10]}"
    assert found_by("auto", database, suites=("example",)).found == "no base: no run is recorded yet"
    record(database, run_of(None, "none"))
    assert found_by("auto", database).found == (
        f"no base: no clean run of example at {start} or before, for no main branch is known "
        "(1 are recorded: ones of no commit)"
    )
    record(database, run_of(first, "one"))
    so = "for no main branch is known"
    assert found_by("auto", database).found == f"run one, the newest clean one at {start}, {so}"
    second = here.commit("second")
    assert found_by("auto", database).found == (
        f"run one, the newest clean one at the nearest commit before HEAD {second[:10]}, {so}"
    )


def test_once_the_candidate_is_recorded_latest_counts_it_as_everywhere(database: Path) -> None:
    """So latest~1 is the one before it, and latest would be the run itself."""
    for run_id in ("one", "two", "candidate"):
        record(database, run_of(None, run_id))
    names = {name: {"database": database, "folder": database.parent} for name in ("latest~1", "latest~2")}
    found = [id_of(find(name, CANDIDATE, **where, is_recorded=True)) for name, where in names.items()]
    assert found == ["two", "one"]
    with pytest.raises(UsageError, match="baseline latest is run candidate, which would be held against"):
        find("latest", CANDIDATE, database=database, folder=database.parent, is_recorded=True)


def test_what_was_measured_as_a_base_is_no_result_and_is_one_only_by_its_id(
    here: Repository, database: Path
) -> None:
    """Neither by `latest`, nor as the newest of a database or of a commit."""
    commit = here.git("rev-parse", "HEAD")
    record(database, run_of(commit, "one"))
    record(database, run_of(commit, "two-base"))
    record(database, replace(run_of("0" * 40, "two"), base="two-base"))
    for is_recorded in (False, True):
        found = [
            find(name, CANDIDATE, database=database, folder=here.folder, is_recorded=is_recorded)
            for name in ("latest", "latest~1", "auto", "two-base")
        ]
        assert [id_of(each) for each in found] == ["two", "one", "one", "two-base"]
    other = database.with_name("other.db")
    record(other, run_of(commit, "three-base"))
    record(other, replace(run_of(commit, "three"), base="three-base", suites=("another",)))
    with pytest.raises(StoreError, match="no run of it is of example"):
        found_by("other.db", database)


def test_latest_is_the_newest_before_the_candidate(database: Path) -> None:
    """Neither itself, nor its own base, nor one that came later."""
    record(database, run_of(None, "one"))
    record(database, run_of(None, "two"))
    assert id_of(found_by("latest", database)) == "two"  # before the candidate is begun
    record(database, run_of(None, "candidate-base"))
    record(database, replace(run_of(None, "candidate"), base="candidate-base"))
    record(database, run_of(None, "later"))
    names = ("latest", "latest~0", "latest~1")
    found = [id_of(found_by(name, database, base="candidate-base")) for name in names]
    assert found == ["two", "two", "one"]
    for name in ("latest~2", "latest~x", "latest~"):
        with pytest.raises(UnknownName, match=f'no baseline, run or database named "{name}"'):
            found_by(name, database, base="candidate-base")


def test_an_unknown_name_is_told_with_the_nearest(database: Path) -> None:
    """Of names, runs and ways to find one."""
    record(database, run_of(None, "one"))
    with closing(open_store(database)) as store:
        store.set_baseline("main", "one")
    for name, near in (("mian", "main"), ("onee", "one"), ("atuo", "auto")):
        with pytest.raises(
            UnknownName, match=f'no baseline, run or database named "{name}"; did you mean "{near}"'
        ):
            found_by(name, database)


def test_another_database_gives_its_newest_run_of_the_suites(database: Path) -> None:
    """That is done and not the candidate."""
    other = database.with_name("other.db")
    record(other, run_of(None, "older"))
    record(other, run_of(None, "fitting"), (an_outcome("a"),))
    record(other, replace(run_of(None, "elsewhere"), suites=("another",)))
    record(other, run_of(None, "half"), is_done=False)
    record(other, run_of(None, "candidate"))
    for name in ("other.db", str(other)):
        found = found_by(name, database)
        assert (id_of(found), found.database) == ("fitting", other)
        assert found.found == f"run fitting, the newest fitting one of {name}"
        assert found.outcomes() == (an_outcome("a"),)
        assert found.elsewhere == "other.db"
    record(database, run_of(None, "here"))
    for name in ("results.db", str(database)):
        assert (id_of(found_by(name, database)), found_by(name, database).elsewhere) == ("here", None)


def test_a_database_with_nothing_to_be_held_against_is_told(database: Path) -> None:
    """Nothing is done, or nothing of these suites."""
    other = database.with_name("other.db")
    record(other, run_of(None, "half"), is_done=False)
    with pytest.raises(StoreError, match="no run of it is done"):
        found_by("other.db", database)
    record(other, replace(run_of(None, "elsewhere"), suites=("another",)))
    with pytest.raises(StoreError, match=r"no run of it is of example.*it has another"):
        found_by("other.db", database)


def newer(path: Path) -> None:
    """Make a database that a later version has written."""
    record(path, a_run())
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 999")


def cut(path: Path) -> None:
    """Make a database that lost its end."""
    record(path, a_run())
    path.write_bytes(path.read_bytes()[:5000])


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (newer, "made by a newer gemma_eval"),
        (cut, "results.db"),
        (lambda path: path.write_text("no database at all, but a text of some length" * 50), "results.db"),
        (lambda path: path.write_bytes(b""), "no run is recorded yet"),
        (lambda path: None, "results.db"),
    ],
)
def test_a_database_that_cannot_be_read_is_an_error_that_names_it(
    database: Path,
    make: Callable[[Path], object],
    said: str,
) -> None:
    """Where its own name is given, and where a run of it is."""
    make(database)
    for name in ("results.db", "one") if database.exists() else ("one",):
        with pytest.raises(GemmaEvalError, match=said):
            find(name, CANDIDATE, database=database, folder=database.parent)


def test_a_database_that_was_deleted_is_an_unknown_name(database: Path) -> None:
    """As any name that stands for nothing; and one that goes after it was found cannot be read."""
    record(database, run_of(None, "one"))
    with pytest.raises(UnknownName, match=r'no baseline, run or database named "gone\.db"'):
        found_by("gone.db", database)
    found = found_by("one", database)
    database.unlink()
    with pytest.raises(StoreError):
        found.outcomes()
