"""A recorded run is held against its base by every gate, with what runs of before say of noise."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from gemma_eval.errors import StoreError, UnknownName
from gemma_eval.gating.baseline import Baseline
from gemma_eval.gating.hold import Held, earlier_runs, hold, of_base_run, read_earlier
from gemma_eval.records import Acceptance, Gate, Noise, Outcome, Run, Where
from gemma_eval.store.read import open_reader
from tests.examples import a_run
from tests.gating.repository import record
from tests.verdict import blocks
from tests.verdict.two_sides import named, scored

SCORE = Gate(id="score", metric="score", margin=0.02)
TTFT = Gate(id="ttft", metric="ttft_s", tolerance=0.05)
RIGHT = scored([1.0] * 200)
WRONG = scored([0.0] * 40 + [1.0] * 160, text="Rome")
NOISE = (0.021, -0.013, 0.034, 0.002, -0.027, 0.015, 0.008, -0.019)
BASE = replace(a_run("base"), commit="a" * 40)
RUN = replace(a_run("run"), commit="b" * 40)
ACCEPTANCE = Acceptance(
    gate="score",
    group="scripted/greedy/rag",
    difference=0.2,
    low=0.15,
    reason="a shorter template",
    author="Ada",
    run="run",
    commit=None,
    accepted="2026-11-01",
    expires="2026-12-01",
)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Return where runs are recorded."""
    return tmp_path / "results.db"


def held(
    database: Path,
    base: Sequence[Outcome] | None,
    candidate: Sequence[Outcome],
    *gates: Gate,
    together: bool = False,
) -> Held:
    """Return a run to be held against one that is recorded."""
    run = None if base is None else record(database, BASE, base)
    return Held(
        run=RUN,
        outcomes=tuple(candidate),
        base=Baseline(run=run, database=database, found="as it was found"),
        gates=gates,
        together=together,
        today="2026-11-24",
    )


def test_a_regression_is_accepted_for_a_while_and_as_far_as_it_was(database: Path) -> None:
    """Its figures stay; a day later, or where more is lost by more than the margin, it is none."""
    of = held(database, RIGHT, WRONG, SCORE)
    (before,) = hold(of).gated
    accepted = replace(of, acceptances=(ACCEPTANCE,))
    (after,) = hold(accepted).gated
    assert before.comparison.verdict == "REGRESSED"
    assert after.comparison == replace(before.comparison, verdict="ACCEPTED")
    assert after.acceptance == ACCEPTANCE
    (expired,) = hold(replace(accepted, today="2026-12-02")).gated
    assert expired.comparison.verdict == "REGRESSED"
    assert expired.comparison.reason == "the acceptance of 2026-11-01 expired on 2026-12-01"
    small = replace(ACCEPTANCE, difference=0.05)
    (more,) = hold(replace(of, acceptances=(small,))).gated
    assert more.comparison.verdict == "REGRESSED"
    assert "worse than the 5.0 points that were accepted on 2026-11-01" in more.comparison.reason
    other = replace(ACCEPTANCE, group="scripted/greedy/plain")
    assert hold(replace(of, acceptances=(other,))).gated == (before,)


def test_what_does_not_hold_among_all_gates_needs_no_acceptance(database: Path) -> None:
    """It is inconclusive, whatever was accepted."""
    wrong = scored([0.0] * 12 + [1.0] * 188, text="Rome")
    of = replace(held(database, RIGHT, wrong, SCORE), acceptances=(ACCEPTANCE,))
    (alone,) = hold(of).gated
    assert alone.comparison.verdict == "ACCEPTED"
    many = tuple(replace(SCORE, id=f"wide-{at}", margin=0.5) for at in range(50))
    among = hold(replace(of, gates=(SCORE, *many))).gated[0]
    assert among.comparison.verdict == "INCONCLUSIVE"


def test_what_was_held_against_what_is_told(database: Path) -> None:
    """Ids, commits, how the base was found, and what sets the sides apart."""
    candidate = [named(each, text="Rome", template="short") for each in RIGHT]
    found = hold(held(database, RIGHT, candidate, SCORE))
    assert (found.candidate, found.base, found.found) == ("run", "base", "as it was found")
    assert found.commits == {"base": "a" * 40, "candidate": "b" * 40}
    assert found.changes == ("template rag → short",)
    assert found.blocks is None
    assert [each.comparison.verdict for each in found.gated] == ["NEW", "MISSING"]


def test_what_it_takes_to_judge_again_is_kept(database: Path) -> None:
    """Also gates that are about nothing."""
    nothing = Gate(id="nothing", metric="score", margin=0.02, where=Where(case="gone"))
    of = held(database, RIGHT, RIGHT, SCORE, nothing)
    elsewhere = replace(of.base, elsewhere="../other.db")
    found = hold(replace(of, base=elsewhere, spoiled="the clock was changed", blocks=7))
    assert [each.gate for each in found.gated] == [SCORE]
    assert found.gates == (SCORE, nothing)
    kept = (found.spoiled, found.most_blocks, found.base_database)
    assert kept == ("the clock was changed", 7, "../other.db")
    plain = hold(of)
    assert (plain.spoiled, plain.most_blocks, plain.base_database) == ("", None, None)


def test_without_a_base_everything_is_new(database: Path) -> None:
    """And limits hold."""
    found = hold(held(database, None, RIGHT, SCORE, Gate(id="limit", metric="score", limit=0.9)))
    assert (found.base, found.changes, found.commits) == (None, (), {"candidate": "b" * 40})
    assert [each.comparison.verdict for each in found.gated] == ["NEW", "PASS"]


def test_models_in_turn_are_held_against_each_other(database: Path) -> None:
    """In the blocks that both have, with one name instead of another."""
    pair = blocks.in_turn([0.4 + noise for noise in NOISE])
    candidate = [named(each, model="small") for each in (blocks.answer(0.1), *pair.candidate)]
    run = replace(RUN, engines={"small": RUN.engines["scripted"]})
    of = replace(held(database, pair.base, candidate, TTFT, together=True), run=run)
    found = hold(of)
    assert (found.blocks, found.changes) == (8, ("model scripted → small",))
    assert [each.comparison.verdict for each in found.gated] == ["REGRESSED"]
    assert found.gated[0].comparison.n == 5
    assert hold(replace(of, together=False)).blocks is None
    spoiled = hold(replace(of, spoiled="the clock was changed")).gated[0].comparison
    assert (spoiled.verdict, spoiled.reason) == ("INVALID", "the clock was changed")
    assert hold(replace(of, blocks=3)).gated[0].comparison.n == 3


def test_many_gates_that_prove_nothing_are_noted(database: Path) -> None:
    """More than a fifth; a reader should not take them for a pass."""
    few = scored([1.0] * 9, text="Rome")
    found = hold(held(database, RIGHT[:9], few, SCORE))
    assert found.notes == (
        "1 of 1 gates prove nothing: more blocks or cases, or wider margins, would let them decide",
    )
    wide = tuple(replace(SCORE, id=f"wide-{at}", margin=0.9) for at in range(4))
    assert hold(held(database.with_name("b.db"), RIGHT[:9], few, SCORE, *wide)).notes == ()


def test_a_base_that_cannot_be_read_is_an_error(database: Path) -> None:
    """And not taken for none."""
    of = held(database, RIGHT[:3], RIGHT[:3], SCORE)
    database.unlink()
    with pytest.raises(StoreError):
        hold(of)


def ids(database: Path, run: Run, *, together: bool) -> list[str]:
    """Return the ids of the earlier runs of one."""
    return [each.run.id for each in read_earlier(database, run, together=together)]


def test_earlier_runs_are_finished_ones_of_the_same_on_a_fair_machine(database: Path) -> None:
    """Newest first, and none that came later."""
    record(database, a_run("one"))
    record(database, replace(a_run("two"), suites=("example", "another")))
    record(database, replace(a_run("elsewhere"), host=replace(RUN.host, cpu="another")))
    record(database, replace(a_run("others"), suites=("another",)))
    record(database, replace(a_run("older"), definitions_version=RUN.definitions_version - 1))
    record(database, a_run("half"), is_done=False)
    record(database, a_run("noisy"), noise=Noise(reasons=("busy",)))
    record(database, a_run("b"))
    record(database, replace(a_run("a"), base="b"))
    run = record(database, a_run("run"))
    record(database, a_run("later"))
    assert ids(database, run, together=False) == ["a", "two", "one"]
    assert ids(database, run, together=True) == ["a"]
    assert ids(database, a_run("unknown"), together=False) == ["later", "run", "a", "two", "one"]
    with closing(open_reader(database)) as reader:
        (found,) = earlier_runs(reader, run, together=True)
        assert found.base == reader.outcomes("b")
        assert earlier_runs(reader, run, together=False)[0].base == ()


def test_only_the_newest_twenty_count(database: Path) -> None:
    """Noise of long ago is of another machine."""
    for number in range(23):
        record(database, a_run(f"run-{number}"))
    assert ids(database, a_run("run-22"), together=False) == [f"run-{at}" for at in range(21, 1, -1)]


def test_the_base_that_was_measured_in_turn_is_found_by_the_run(database: Path) -> None:
    """A run of none has none; one that is gone is told."""
    record(database, BASE)
    with closing(open_reader(database)) as reader:
        found = of_base_run(reader, replace(RUN, base="base"), database)
        assert found.run is not None
        assert (found.run.id, found.found) == ("base", "measured in turn")
        assert of_base_run(reader, RUN, database, found="main, measured in turn").run is None
        with pytest.raises(UnknownName, match='no run named "gone"'):
            of_base_run(reader, replace(RUN, base="gone"), database)
