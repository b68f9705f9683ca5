"""A suite spreads into cells, a cell into trials, and what is compared is paired."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from gemma_eval.cases.expand import derived_seed, expand, trials
from gemma_eval.records import Cell, ModelSpec, Retrieval, SamplingProfile, Suite, Template
from tests.examples import a_case, a_cell

MODELS = {name: ModelSpec(name=name, backend="scripted", location="") for name in ("m1", "m2")}
PROFILES = {name: SamplingProfile(name=name, max_tokens=30) for name in ("p1", "p2")}
TEMPLATES = {name: Template(name=name, text="{{ query }}") for name in ("t1", "t2")}


def cells(**changes: object) -> tuple[Cell, ...]:
    """Return the cells of a suite of two cases, the second of which is narrower."""
    wide = a_case("a", models=("m1", "m2"), profiles=("p1", "p2"), templates=("t1", "t2"), **changes)
    narrow = a_case("b", models=("m2",), profiles=("p1",), templates=("t2",), **changes)
    suite = Suite(
        name="s",
        path="s.toml",
        sha256="",
        description="",
        seed=3,
        retrieval=Retrieval(top_k=2),
        cases=(wide, narrow),
    )
    return expand(suite, models=MODELS, profiles=PROFILES, templates=TEMPLATES)


def test_every_combination_that_a_case_names_is_one_cell() -> None:
    """In the order of the file, and no label twice."""
    labels = [cell.label for cell in cells()]
    assert labels == [f"a[{m}/{p}/{t}]" for m in ("m1", "m2") for p in ("p1", "p2") for t in ("t1", "t2")] + [
        "b[m2/p1/t2]"
    ]
    assert len(set(labels)) == len(labels)
    assert {(cell.suite, cell.seed, cell.retrieval.top_k) for cell in cells()} == {("s", 3, 2)}


def test_a_cell_carries_the_token_limit_that_is_used() -> None:
    """The case's limit goes before the profile's."""
    assert {cell.profile.max_tokens for cell in cells()} == {30}
    assert {cell.profile.max_tokens for cell in cells(max_tokens=7)} == {7}


def test_a_cell_has_a_trial_per_repeat() -> None:
    """Counted from 0, each with a key of its own."""
    made = trials(replace(a_cell(), case=a_case(repeats=3)))
    assert [trial.repeat for trial in made] == [0, 1, 2]
    assert len({trial.key for trial in made}) == 3
    assert len({trial.seed for trial in made}) == 3


def test_a_profile_may_fix_the_seed_and_zero_is_a_seed() -> None:
    """Then every repeat has it."""
    cell = a_cell()
    fixed = replace(cell, profile=replace(cell.profile, seed=0), case=a_case(repeats=2))
    assert [trial.seed for trial in trials(fixed)] == [0, 0]


def not_paired(seed_of: Callable[[Cell, int], int], made: tuple[Cell, ...]) -> set[tuple[str, int]]:
    """Return the cases and repeats whose seed is not the same in all cells."""
    seeds: dict[tuple[str, int], set[int]] = {}
    for cell in made:
        for repeat in range(3):
            seeds.setdefault((cell.case.id, repeat), set()).add(seed_of(cell, repeat))
    return {key for key, values in seeds.items() if len(values) > 1}


def test_cells_that_differ_in_model_profile_or_template_are_paired() -> None:
    """The same repeat of the same case has the same seed in all of them."""
    assert not_paired(lambda cell, repeat: trials(cell)[repeat].seed, cells(repeats=3)) == set()


def test_a_seed_that_saw_the_profile_would_be_noticed() -> None:
    """The comparison above can fail."""

    def planted(cell: Cell, repeat: int) -> int:
        return derived_seed(cell.seed, cell.label, repeat)

    assert not_paired(planted, cells(repeats=3)) == {("a", 0), ("a", 1), ("a", 2)}


@settings(max_examples=100, deadline=None)
@given(
    st.integers(0, 2**31 - 1), st.from_regex(r"[A-Za-z0-9_.+-]{1,20}", fullmatch=True), st.integers(0, 9999)
)
def test_derived_seeds_fit_every_engine_and_follow_the_stated_rule(seed: int, case: str, repeat: int) -> None:
    """31 bits of SHA-256 over `seed/case/repeat`, written here a second way."""
    expected = int(hashlib.sha256(f"{seed}/{case}/{repeat}".encode()).hexdigest()[:8], 16) // 2
    assert derived_seed(seed, case, repeat) == expected
    assert 0 <= expected < 2**31


def test_a_derived_seed_is_the_same_on_every_machine() -> None:
    """A recorded value, so that a change of the rule is seen."""
    assert derived_seed(0, "finn", 0) == 425799692
