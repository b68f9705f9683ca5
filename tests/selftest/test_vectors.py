"""Published values are told from ours where they differ, and each says where it is from."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import click
import pytest

from gemma_eval import plugins
from gemma_eval.cli import selftest_scorers
from gemma_eval.errors import MissingDependency, StoreError, UsageError
from gemma_eval.hookspecs import hookimpl
from gemma_eval.protocols import RegisterScorer, Scorer
from gemma_eval.records import Case, Generation, Options, Score
from gemma_eval.selftest.quantities import QUANTITIES
from gemma_eval.selftest.scorers import Checked, check_published, check_vector
from gemma_eval.selftest.vectors import FOLDER, Given, Published, Vector, published

SOURCES = published()
VECTORS = [(source, vector) for source in SOURCES for vector in source.vectors]
FREE = {"MIT", "Apache-2.0", "NIST-Software"}


def half(options: Options) -> Scorer:
    """Return a scorer that gives half a point."""

    def score(case: Case, generation: Generation) -> Score:
        return Score(scorer="half", value=0.5, passed=None, figures={"squared": 0.25})

    return score


def absent(options: Options) -> Scorer:
    """Return nothing, for want of a package."""
    raise MissingDependency("absent", extra="analysis")


class Planted:
    """A plugin with two scorers."""

    @hookimpl
    def register_scorers(self, register: RegisterScorer) -> None:
        """Register them."""
        register("half", half)
        register("absent", absent)


REGISTRY = plugins.load([Planted()])
SOURCE = Published(name="some", about="", where="a/b:c", commit="1", licence="MIT", vectors=())


def checked(**fields: object) -> Checked:
    """Return how a vector compares."""
    return check_vector(REGISTRY, SOURCE, Vector(name="v", **fields))  # type: ignore[arg-type]


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_every_source_says_where_it_is_and_under_which_licence(source: Published) -> None:
    """A repository with a path, a commit, and a licence that lets values be carried over."""
    repository = source.where.partition(":")[0]
    assert repository.count("/") == 1
    assert len(source.commit) >= 7
    assert source.licence in FREE
    assert source.about


def test_no_two_vectors_of_a_source_have_one_name() -> None:
    """Each is one pytest item."""
    names = Counter((source.name, vector.name) for source, vector in VECTORS)
    assert {name for name, n in names.items() if n > 1} == set()


def test_every_vector_names_a_scorer_or_a_quantity_and_a_reason_where_ours_differs() -> None:
    """Exactly one; and `ours` stands with its reason."""
    for source, vector in VECTORS:
        assert bool(vector.scorer) != bool(vector.quantity), (source.name, vector.name)
        assert vector.differs or vector.ours is None, (source.name, vector.name)
        assert not vector.quantity or vector.quantity in QUANTITIES, (source.name, vector.name)


def test_no_published_value_differs_from_ours_unless_by_design() -> None:
    """All of them, by the scorers that ship."""
    found = check_published(plugins.load(), SOURCES)
    assert len(found) == len(VECTORS) > 180
    assert [
        f"{each.source.name}: {each.vector.name}: {each.why}" for each in found if each.state == "differs"
    ] == []


@pytest.mark.parametrize(
    ("fields", "state"),
    [
        ({"scorer": "half", "expected": 0.5}, "agrees"),
        ({"scorer": "half", "expected": 50.0, "scale": 100.0}, "agrees"),
        ({"scorer": "half", "expected": 0.25, "figure": "squared"}, "agrees"),
        ({"scorer": "half", "expected": 0.5004, "tolerance": 5e-4}, "agrees"),
        ({"scorer": "half", "expected": 0.5006, "tolerance": 5e-4}, "differs"),
        ({"scorer": "half", "expected": None}, "differs"),
        ({"scorer": "half", "expected": 0.5, "figure": "absent"}, "differs"),
        ({"scorer": "half", "expected": 1.0, "ours": 0.5, "differs": "why"}, "differs by design"),
        ({"scorer": "half", "expected": 1.0, "ours": 0.6, "differs": "why"}, "differs"),
        ({"scorer": "half", "expected": 0.5, "ours": 0.5, "differs": "why"}, "differs"),
        ({"scorer": "absent", "expected": 0.5}, "not run"),
        ({"scorer": "unheard_of", "expected": 0.5}, "differs"),
        ({"quantity": "mean", "given": Given(values=(1.0, 2.0)), "expected": 1.5}, "agrees"),
        ({"quantity": "mean", "given": Given(), "expected": None}, "agrees"),
        ({"quantity": "unheard_of", "expected": 0.5}, "differs"),
    ],
)
def test_a_value_is_told_by_how_it_compares(fields: dict[str, object], state: str) -> None:
    """Also one that differs by design, and no longer does."""
    found = checked(**fields)
    assert found.state == state
    assert (found.why == "") == (state == "agrees")


@pytest.mark.parametrize(
    ("source", "vector"), VECTORS, ids=[f"{s.name}-{n}" for n, (s, _) in enumerate(VECTORS)]
)
def test_a_planted_error_in_a_published_value_is_found(source: Published, vector: Vector) -> None:
    """Whatever is expected, something that is off by more than the tolerance does not pass."""
    planted = 7.25 if vector.expected is None else vector.expected + 2 * vector.tolerance + 1e-3
    wrong = replace(vector, expected=planted, differs="", ours=None)
    assert check_vector(REGISTRY, source, wrong).state in ("differs", "not run")


def test_a_file_that_is_no_list_of_vectors_is_refused(tmp_path: Path) -> None:
    """A key that nobody reads would be a value that nobody compares."""
    path = tmp_path / "some.toml"
    head = 'about = ""\nwhere = ""\ncommit = ""\nlicence = ""\n[[vector]]\n'
    path.write_text(f"{head}name = 3\n")
    with pytest.raises(StoreError, match="vectors"):
        published([path])
    for line in ('name = "a"\nexpectd = 1\n', 'name = "a"\ngiven = { value = 1 }\n'):
        path.write_text(head + line)
        with pytest.raises(UsageError, match="did you mean"):
            published([path])


def test_the_files_are_in_the_package() -> None:
    """Beside the code that reads them, so that a wheel has them."""
    assert {path.stem for path in FOLDER.glob("*.toml")} == {source.name for source in SOURCES}
    assert FOLDER.is_relative_to(Path(plugins.__file__).parent)


def test_the_screen_has_a_row_per_source_and_the_reason_of_what_does_not_agree() -> None:
    """In 80 columns, the ones that differ by design not hidden."""
    members = [
        checked(scorer="half", expected=0.5),
        checked(scorer="half", expected=0.6),
        checked(scorer="half", expected=1.0, ours=0.5, differs="half is enough"),
        checked(scorer="absent", expected=1.0),
    ]
    lines = [click.unstyle(line) for line in selftest_scorers.screen(members)]
    assert max(map(len, lines)) <= 80
    assert ["some", "4", "1", "1", "1", "1"] in [line.split() for line in lines]
    text = "\n".join(lines)
    assert "half is enough" in text
    assert "0.5 instead of 0.6" in text
    assert "pip install" in text
    assert lines[-1] == "1 of 4 values differs"
    assert '"licence": "MIT"' in selftest_scorers.as_json(members)
