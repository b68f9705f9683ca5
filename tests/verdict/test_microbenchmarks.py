"""A micro-benchmark is decided by what sessions of before differed, and never by its own rounds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from gemma_eval.records import (
    MICROBENCHMARK,
    Comparison,
    Gate,
    Gated,
    Microbenchmark,
    Noise,
    Run,
    Verdict,
    Where,
)
from gemma_eval.verdict.gates import Side, Sides, judge, undecided
from gemma_eval.verdict.history import Earlier
from gemma_eval.verdict.microbenchmarks import IN_TURN, NONE_MEASURED, UNKNOWN_NOISE
from gemma_eval.verdict.over_runs import over_runs
from tests.examples import a_run, an_outcome

SPEED, SIZE = "test_x.py::test_speed", "test_x.py::test_size"
GATE = Gate(id="tests", metric=MICROBENCHMARK, tolerance=0.1)
LIMIT = Gate(id="tests", metric=MICROBENCHMARK, limit=1.0)
BUSY = Noise(reasons=("others took 40 % of the processor",))
BEFORE = (1.0, 1.02, 0.99, 1.01, 0.98, 1.0)
"""The medians of six sessions, oldest first."""


def a_session(name: str, *medians: float | None, benchmarks: Sequence[str] = (SPEED, SIZE)) -> Run:
    """Return a run whose session had micro-benchmarks of these medians."""
    return replace(
        a_run(name),
        microbenchmarks=tuple(
            Microbenchmark(name=each, median_s=median, mean_s=2 * median, sd_s=median / 10, rounds=10_000)
            for each, median in zip(benchmarks, medians, strict=False)
            if median is not None
        ),
    )


def of_sessions(
    candidate: Run, base: Run | None, *, before: Sequence[float] = BEFORE, together: bool = False
) -> Sides:
    """Return two sides, and sessions of before whose medians are given oldest first."""
    earlier = [a_session(f"before-{number}", median) for number, median in enumerate(before)]
    return Sides(
        base=None if base is None else Side(run=base, outcomes=()),
        candidate=Side(run=candidate, outcomes=()),
        earlier=tuple(Earlier(run=run, outcomes=()) for run in reversed(earlier)),
        together=together,
    )


def the_one(gate: Gate, of: Sides) -> Gated:
    """Return what became of a gate in the only micro-benchmark."""
    (found,) = judge([gate], of)
    return found


def compared(
    median: float, *, base: float = 1.0, gate: Gate = GATE, before: Sequence[float] = BEFORE
) -> Comparison:
    """Return the comparison of one micro-benchmark."""
    of = of_sessions(a_session("run", median), a_session("base", base), before=before)
    return the_one(gate, of).comparison


@pytest.mark.parametrize(
    ("median", "verdict", "lean"),
    [
        (1.5, "REGRESSED", None),
        (1.0, "PASS", None),
        (0.7, "PASS", "improved"),
        (1.1, "INCONCLUSIVE", "worse"),
    ],
)
def test_a_difference_is_held_against_those_of_sessions_before(
    median: float, verdict: Verdict, lean: str | None
) -> None:
    """Sessions differ by some hundredths here, and a tenth is allowed."""
    found = compared(median)
    assert (found.verdict, found.lean, found.reason) == (verdict, lean, "")
    assert (found.unit, found.n, found.needed) == ("run", 1, None)
    assert (found.base, found.candidate) == (1.0, median)


def test_the_bounds_are_those_of_a_t_with_the_variance_of_consecutive_sessions() -> None:
    """Computed another way: numpy's differences, scipy's χ² and t."""
    found = compared(1.05)
    squares = np.diff(np.log(BEFORE)) ** 2
    df = 2 * 5**2 / (3 * 6 - 4)
    sd = math.sqrt(squares.mean() * df / stats.chi2.ppf(0.25, df))
    assert found.difference == pytest.approx(math.log(1.05))
    assert found.low == pytest.approx(math.log(1.05) - stats.t.ppf(0.95, df) * sd)
    assert found.high == pytest.approx(math.log(1.05) + stats.t.ppf(0.95, df) * sd)
    assert found.p == pytest.approx(stats.t.sf((math.log(1.05) - math.log(1.1)) / sd, df))
    assert found.margin == pytest.approx(math.log(1.1))


def test_a_limit_is_held_against_the_spread_of_one_session() -> None:
    """Half the variance of a difference, and no base is needed."""
    found = the_one(LIMIT, of_sessions(a_session("run", 1.2), None)).comparison
    squares = np.diff(np.log(BEFORE)) ** 2
    df = 2 * 5**2 / (3 * 6 - 4)
    sd = math.sqrt(squares.mean() / 2 * df / stats.chi2.ppf(0.25, df))
    assert (found.base, found.candidate, found.margin) == (1.0, 1.2, 0.0)
    assert found.low == pytest.approx(math.log(1.2) - stats.t.ppf(0.95, df) * sd)
    assert found.verdict == "REGRESSED"
    below = the_one(LIMIT, of_sessions(a_session("run", 0.8), None)).comparison
    assert (below.verdict, below.lean) == ("PASS", None)
    near = the_one(LIMIT, of_sessions(a_session("run", 1.01), None)).comparison
    assert (near.verdict, near.lean) == ("INCONCLUSIVE", "worse")


def test_ten_thousand_rounds_prove_nothing_without_a_history() -> None:
    """They are of one process; five sessions of before are too few."""
    for before in ((), BEFORE[:5]):
        found = compared(9.0, before=before)
        assert (found.verdict, found.lean, found.reason) == ("INCONCLUSIVE", "worse", UNKNOWN_NOISE)
        assert (found.low, found.high, found.p) == (None, None, None)
    assert compared(9.0).verdict == "REGRESSED"
    limited = the_one(LIMIT, of_sessions(a_session("run", 0.1), None, before=())).comparison
    assert (limited.verdict, limited.lean, limited.reason) == ("INCONCLUSIVE", "better", UNKNOWN_NOISE)


def test_sessions_of_before_that_were_noisy_or_lack_it_do_not_tell() -> None:
    """Of seven only five are left."""
    of = of_sessions(a_session("run", 9.0), a_session("base", 1.0), before=(*BEFORE, 1.0))
    lost = replace(of.earlier[3], run=a_session("other", None, 1.0))
    noisy = replace(of.earlier[5], run=replace(of.earlier[5].run, noise=BUSY))
    earlier = (*of.earlier[:3], lost, of.earlier[4], noisy, of.earlier[6])
    assert the_one(GATE, of).comparison.verdict == "REGRESSED"
    found = the_one(GATE, replace(of, earlier=earlier)).comparison
    assert (found.verdict, found.reason) == ("INCONCLUSIVE", UNKNOWN_NOISE)


def test_a_session_that_went_elsewhere_widens_the_bounds() -> None:
    """The order counts: what jumps to and fro tells of more noise than what drifts."""
    drifting, jumping = (1.0, 1.1, 1.2, 1.3, 1.4, 1.5), (1.0, 1.5, 1.1, 1.4, 1.2, 1.3)
    lows = [compared(2.5, before=before).low for before in (drifting, jumping)]
    assert lows[0] is not None
    assert lows[1] is not None
    assert lows[0] > lows[1]


ELSEWHERE = replace(a_session("run", 1.0).host, cpu="another")

TABLE: Mapping[str, tuple[Sides, Verdict, str]] = {
    "no base": (of_sessions(a_session("run", 1.0), None), "NEW", "no base was found"),
    "a new test": (
        of_sessions(a_session("run", 1.0), a_session("base")),
        "NEW",
        "the base has nothing of this",
    ),
    "in turn": (of_sessions(a_session("run", 1.0), a_session("base"), together=True), "NEW", IN_TURN),
    "a lost test": (
        of_sessions(a_session("run", 1.0, benchmarks=("other",)), a_session("base", 1.0)),
        "MISSING",
        "the base has it, and the candidate was run whole and has it not",
    ),
    "no test at all": (of_sessions(a_session("run"), a_session("base", 1.0)), "INCOMPLETE", NONE_MEASURED),
    "another machine": (
        of_sessions(replace(a_session("run", 1.0), host=ELSEWHERE), a_session("base", 1.0)),
        "INCOMPARABLE",
        'cpu: "a processor" against "another"',
    ),
    "a busy candidate": (
        of_sessions(replace(a_session("run", 9.0), noise=BUSY), a_session("base", 1.0)),
        "INVALID",
        "made on a busy machine: run run",
    ),
    "a busy base": (
        of_sessions(a_session("run", 9.0), replace(a_session("base", 1.0), noise=BUSY)),
        "INVALID",
        "made on a busy machine: run base",
    ),
    "an interrupted run": (
        of_sessions(replace(a_session("run", 9.0), state="interrupted"), a_session("base", 1.0)),
        "INCOMPLETE",
        "run run is interrupted: not every trial that it planned is recorded",
    ),
}


@pytest.mark.parametrize("what", TABLE)
def test_what_is_no_question_of_proof_has_a_verdict_with_its_reason(what: str) -> None:
    """Each by itself, whatever the history would have said."""
    of, verdict, reason = TABLE[what]
    gate = replace(GATE, where=Where(case="*test_speed"))
    found = the_one(gate, of).comparison
    assert (found.verdict, found.reason, found.lean) == (verdict, reason, None)


def test_other_formulas_of_answers_are_no_part_of_these_times() -> None:
    """A new version of them keeps no micro-benchmark from being compared."""
    of = of_sessions(replace(a_session("run", 1.0), definitions_version=99), a_session("base", 1.0))
    assert the_one(GATE, of).comparison.verdict == "PASS"


def test_a_limit_needs_a_quiet_candidate_alone() -> None:
    """The base is not looked at; and a limit that is kept on a busy machine is kept."""
    base = replace(a_session("base", 1.0), host=ELSEWHERE, noise=BUSY, state="interrupted")
    assert the_one(LIMIT, of_sessions(a_session("run", 1.5), base)).comparison.verdict == "REGRESSED"
    noisy = replace(a_session("run", 1.5), noise=BUSY)
    assert the_one(LIMIT, of_sessions(noisy, base)).comparison.verdict == "INVALID"
    kept = replace(a_session("run", 0.5), noise=BUSY)
    assert the_one(LIMIT, of_sessions(kept, base)).comparison.verdict == "PASS"
    beside = of_sessions(kept, a_session("base", 1.0))
    assert the_one(GATE, beside).comparison.verdict == "INVALID"


def test_of_a_chosen_part_nothing_is_missing() -> None:
    """Who chooses a matrix has not lost the rest."""
    of = of_sessions(replace(a_session("run"), selection="matrix"), a_session("base", 1.0))
    assert judge([GATE], of) == ()


def test_a_glob_of_the_full_name_chooses_among_them() -> None:
    """Upper and lower case differ, and each has a name of its own."""
    of = of_sessions(a_session("run", 1.0, 2.0), a_session("base", 1.0, 2.0))
    both = judge([GATE], of)
    assert [each.id for each in both] == [f"tests[{SPEED}]", f"tests[{SIZE}]"]
    assert [each.label for each in both] == [SPEED, SIZE]
    assert len({each.id for each in both}) == 2
    for glob, names in (("*size", [SIZE]), ("*Size", []), ("test_x.py*", [SPEED, SIZE])):
        found = judge([replace(GATE, where=Where(case=glob))], of)
        assert [each.label for each in found] == names


def test_they_are_of_the_family_of_their_tier_and_need_no_block() -> None:
    """What is proved alone is not among many; and no block of engines would decide it."""
    names = [f"test_x.py::test_{number}" for number in range(40)]
    medians = [1.25, *[1.0] * 39]
    run, base = (
        a_session(name, *of, benchmarks=names) for name, of in (("run", medians), ("base", [1.0] * 40))
    )
    before = [a_session(f"before-{at}", *[median] * 40, benchmarks=names) for at, median in enumerate(BEFORE)]
    of = replace(
        of_sessions(run, base), earlier=tuple(Earlier(run=each, outcomes=()) for each in reversed(before))
    )
    alone = the_one(replace(GATE, where=Where(case="*test_0")), of)
    assert alone.comparison.verdict == "REGRESSED"
    among = judge([GATE], of)
    assert among[0].comparison.verdict == "INCONCLUSIVE"
    assert among[0].p_adjusted == pytest.approx(40 * (alone.comparison.p or 1))
    assert undecided(among) == ()


def test_the_history_of_a_micro_benchmark_is_a_series_of_its_own() -> None:
    """With a change of level where it became slower, across versions of our formulas."""
    medians = [1.0, 1.01, 0.99, 1.0, 1.02, 0.98, 1.0, 1.5, 1.51, 1.49, 1.5, 1.52]
    runs = [a_session(f"run-{number}", median, 2.0) for number, median in enumerate(medians)]
    runs[3] = replace(runs[3], definitions_version=99)
    recorded = [(run, (an_outcome("a"),)) for run in runs]
    speed, size = over_runs(recorded, MICROBENCHMARK)
    assert [series.group.template for series in (speed, size)] == [SPEED, SIZE]
    assert [point.value for point in speed.points] == medians
    assert speed.changes is not None
    assert [change.run for change in speed.changes] == ["run-7"]
    assert speed.changes[0].difference == pytest.approx(math.log(1.5), rel=0.02)
    assert [
        series.group.template for series in over_runs(recorded, MICROBENCHMARK, where=Where(case="*size"))
    ] == [SIZE]


@pytest.mark.parametrize("gate", [GATE, LIMIT], ids=["tolerance", "limit"])
def test_where_a_benchmark_is_just_at_what_is_allowed_each_proof_is_rare(gate: Gate) -> None:
    """Sessions differ by 4 % and nothing else; REGRESSED and PASS are both wrong there, 5 % may be."""
    random = np.random.default_rng(7)
    verdicts = []
    for logs in random.normal(0.0, 0.04, size=(1_000, 14)):
        medians = np.exp(logs)
        worse = 1.0 if gate is LIMIT else 1.1
        of = of_sessions(
            a_session("run", worse * medians[13]),
            a_session("base", medians[12]),
            before=[float(median) for median in medians[:13]],
        )
        verdicts.append(the_one(gate, of).comparison.verdict)
    for wrong in ("REGRESSED", "PASS"):
        assert verdicts.count(wrong) <= stats.binom.ppf(0.999, 1_000, 0.05)
    assert "INCONCLUSIVE" in verdicts


def test_a_busy_machine_does_not_hide_that_no_history_is_known() -> None:
    """On a quiet one it would have decided no more."""
    for gate, base in ((GATE, a_session("base", 1.0)), (LIMIT, None)):
        sides = of_sessions(replace(a_session("run", 9.0), noise=BUSY), base, before=())
        (found,) = judge([gate], sides)
        assert (found.comparison.verdict, found.comparison.reason) == ("INCONCLUSIVE", UNKNOWN_NOISE)
