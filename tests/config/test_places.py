"""Folders count by precedence, and a project's folder of somebody else is not obeyed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gemma_eval.config.places import PRECEDENCE, SAFE_DIRECTORY, places, project_folder, safe_directories
from gemma_eval.config.shipped import suites_directory
from gemma_eval.errors import UsageError

SOMEBODY = 12_345


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with a folder of choices and one below it."""
    (tmp_path / ".gemma-eval").mkdir()
    (tmp_path / "evals" / "cats").mkdir(parents=True)
    return tmp_path


def test_precedence_is_a_tuple_to_be_read() -> None:
    """From what ships to what is typed."""
    assert PRECEDENCE == ("built-in", "user", "project", "ini", "suite", "environment", "command line")


def test_the_folders_come_in_that_order(project: Path) -> None:
    """The user's is where the variable says, the project's the nearest one above."""
    suite = project / "evals" / "cats" / "cats.toml"
    found = places(here=project / "evals", environment={"GEMMA_EVAL_CONFIG": "/nowhere/ada"}, suite=suite)
    assert [(place.layer, place.folder) for place in found] == [
        ("built-in", suites_directory()),
        ("user", Path("/nowhere/ada")),
        ("project", project / ".gemma-eval"),
        ("suite", suite.parent),
    ]
    assert [place.layer for place in found] == [
        each for each in PRECEDENCE if each in {p.layer for p in found}
    ]


def test_the_nearest_folder_of_a_project_counts(project: Path) -> None:
    """Also from far below; a file of that name is none."""
    assert project_folder(project / "evals" / "cats") == project / ".gemma-eval"
    nearer = project / "evals" / ".gemma-eval"
    nearer.write_text("")
    assert project_folder(project / "evals" / "cats") == project / ".gemma-eval"
    nearer.unlink()
    nearer.mkdir()
    assert project_folder(project / "evals" / "cats") == nearer


def given_away(folder: Path) -> int | None:
    """Make a folder another user's, and return as whom it is looked at."""
    if os.geteuid() == 0:
        os.lchown(folder, SOMEBODY, -1)
        return None
    return SOMEBODY  # nobody but root can give a file away: look at it as somebody else


def test_a_folder_of_another_user_is_refused_and_the_message_says_what_to_do(project: Path) -> None:
    """Anybody can make one in /tmp, and its models could start programs."""
    user = given_away(project / ".gemma-eval")
    with pytest.raises(UsageError) as refused:
        project_folder(project / "evals", user=user)
    assert str(refused.value) == (
        f"{project}/.gemma-eval belongs to another user, and what it says could start programs as you; where "
        f"you trust it, take it over with chown, or set {SAFE_DIRECTORY}={project}"
    )


def test_a_folder_that_is_named_as_safe_is_obeyed(project: Path) -> None:
    """As in a container, whose user is not that of the checkout."""
    user = given_away(project / ".gemma-eval")
    safe = safe_directories({SAFE_DIRECTORY: f"/elsewhere{os.pathsep}{project}"})
    assert project_folder(project, safe=safe, user=user) == project / ".gemma-eval"
    with pytest.raises(UsageError):
        project_folder(project, safe=safe_directories({SAFE_DIRECTORY: str(project / "evals")}), user=user)


def test_the_variable_is_obeyed_by_whoever_asks_for_the_places(project: Path) -> None:
    """And its absence."""
    if given_away(project / ".gemma-eval") is not None:
        assert safe_directories({}) == frozenset()
        return
    with pytest.raises(UsageError, match="another user"):
        places(here=project, environment={})
    found = places(here=project, environment={SAFE_DIRECTORY: str(project)})
    assert project / ".gemma-eval" in {place.folder for place in found}


def test_a_link_of_another_user_is_refused_as_well(
    project: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """It would choose which of my folders is obeyed."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    link = elsewhere / ".gemma-eval"
    link.symlink_to(project / ".gemma-eval")
    user = given_away(link)
    with pytest.raises(UsageError, match="another user"):
        project_folder(elsewhere, user=user)


def test_a_folder_of_root_is_obeyed(project: Path) -> None:
    """Who is root can do all of it anyway."""
    if os.geteuid() == 0:
        assert project_folder(project, user=SOMEBODY) == project / ".gemma-eval"
    assert project_folder(project) == project / ".gemma-eval"
