"""Every gate in every group that it is about gets the one verdict that holds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from gemma_eval.records import (
    EngineInfo,
    Gate,
    Gated,
    Load,
    ModelSpec,
    Noise,
    Outcome,
    Run,
    SamplingProfile,
    Selection,
    Verdict,
    Where,
)
from gemma_eval.verdict.gates import Side, Sides, judge, undecided
from gemma_eval.verdict.history import Earlier
from gemma_eval.verdict.limits import ONE_BLOCK
from gemma_eval.verdict.speed import ONLY_BENCHMARKS, UNKNOWN_NOISE
from tests.examples import a_run
from tests.verdict import blocks
from tests.verdict.blocks import answer, in_blocks
from tests.verdict.two_sides import named, scored

Outcomes = Sequence[Outcome]

SCORE = Gate(id="score", metric="score", margin=0.02)
TTFT = Gate(id="ttft", metric="ttft_s", tolerance=0.05)
BASE, RUN = a_run("base"), a_run("run")
BUSY = Noise(reasons=("others took 40 % of the processor",))
NOISE = (0.021, -0.013, 0.034, 0.002, -0.027, 0.015, 0.008, -0.019, 0.011, -0.006, 0.004, -0.002)

RIGHT = scored([1.0] * 200)
WRONG = scored([0.0] * 40 + [1.0] * 160, text="Rome")


def sides(
    base: Outcomes | None,
    candidate: Outcomes,
    *,
    base_run: Run = BASE,
    run: Run = RUN,
    together: bool = False,
    instead: tuple[Literal["model", "profile", "template"], str] | None = None,
    spoiled: str = "",
    most: int | None = None,
) -> Sides:
    """Return two sides, or one."""
    return Sides(
        base=None if base is None else Side(run=base_run, outcomes=tuple(base)),
        candidate=Side(run=run, outcomes=tuple(candidate)),
        together=together,
        instead=instead,
        spoiled=spoiled,
        blocks=most,
    )


def the_one(gate: Gate, of: Sides) -> Gated:
    """Return what became of a gate in the only group."""
    (found,) = judge([gate], of)
    return found


def judged(outcomes: Outcomes) -> tuple[Outcome, ...]:
    """Return outcomes whose scores are of a judge."""
    judges = (ModelSpec(name="judge", backend="scripted", location="-"),)
    trials = [replace(each.trial, cell=replace(each.trial.cell, judges=judges)) for each in outcomes]
    return tuple(replace(each, trial=trial) for each, trial in zip(outcomes, trials, strict=True))


def weighing(run: Run, sha256: str | None) -> Run:
    """Return the run with a judge of these weights."""
    info = replace(run.engines["scripted"], model_sha256=sha256)
    return replace(run, engines={**run.engines, "judge": info})


@pytest.mark.parametrize(
    ("ours", "theirs", "verdict"),
    [("ab", "ab", "PASS"), ("ab", "cd", "INCOMPARABLE"), ("ab", None, "PASS"), (None, None, "PASS")],
)
def test_scores_of_two_judges_of_one_name_are_not_compared(
    ours: str | None, theirs: str | None, verdict: Verdict
) -> None:
    """Where both are known to have other weights; the reason has both."""
    right = judged(RIGHT)
    of = sides(right, right, base_run=weighing(BASE, ours), run=weighing(RUN, theirs))
    found = the_one(SCORE, of).comparison
    assert found.verdict == verdict
    if verdict == "INCOMPARABLE":
        assert found.reason == 'weights of the judge judge: "ab" against "cd"'


def turned(shift: float, *, spread: float = 1.0) -> Sides:
    """Return two sides that were measured in turn in twelve blocks."""
    pair = blocks.in_turn([shift + spread * noise for noise in NOISE])
    return sides(pair.base, pair.candidate, together=True)


def of_group(outcomes: Outcomes, *, profile: str) -> tuple[Outcome, ...]:
    """Return the outcomes of another profile."""
    return tuple(
        replace(
            each,
            trial=replace(
                each.trial,
                cell=replace(each.trial.cell, profile=SamplingProfile(name=profile, temperature=1.0)),
            ),
        )
        for each in outcomes
    )


def with_threads(run: Run, threads: int) -> Run:
    """Return a run of which the engine had so many threads."""
    engine: EngineInfo = replace(run.engines["scripted"], threads=threads)
    return replace(run, engines={"scripted": engine})


BEFORE = tuple(
    Earlier(run=a_run(str(at)), outcomes=(answer(time),))
    for at, time in enumerate((0.1, 0.101, 0.099, 0.1005, 0.0995, 0.1002, 0.0998))
)
"""Runs of before, from which it is known how much two of them differ."""

ELSEWHERE = replace(RUN, host=replace(RUN.host, cpu="another"))
ASKING = tuple(
    replace(
        each,
        trial=replace(
            each.trial,
            cell=replace(
                each.trial.cell,
                case=replace(
                    each.trial.cell.case,
                    messages=(replace(each.trial.cell.case.messages[0], content="Who?"),),
                ),
            ),
        ),
    )
    for each in (*WRONG[:1], answer(0.1))
)

TABLE: dict[str, tuple[Gate, Sides, Verdict, str | None, str]] = {
    "scores are lost": (SCORE, sides(RIGHT, WRONG), "REGRESSED", None, ""),
    "the same text": (SCORE, sides(RIGHT, RIGHT), "PASS", "identical", ""),
    "scores are gained": (SCORE, sides(WRONG, RIGHT), "PASS", "improved", ""),
    "few scores": (SCORE, sides(RIGHT[:9], scored([1.0] * 9, text="Rome")), "INCONCLUSIVE", None, ""),
    "blocks are slower": (TTFT, turned(0.2), "REGRESSED", None, ""),
    "blocks are as fast": (TTFT, turned(0.0), "PASS", None, ""),
    "blocks are faster": (TTFT, turned(-0.2), "PASS", "improved", ""),
    "blocks are a little slower": (TTFT, turned(0.02, spread=0.1), "PASS", "drift", ""),
    "blocks differ too much": (TTFT, turned(0.03, spread=4), "INCONCLUSIVE", "worse", ""),
    "no base": (SCORE, sides(None, RIGHT), "NEW", None, "no base was found"),
    "no base of times": (TTFT, sides(None, [answer(0.1)]), "NEW", None, "no base was found"),
    "a new group": (
        SCORE,
        sides([each for each in RIGHT if each.trial.cell.case.id == "none"], RIGHT),
        "NEW",
        None,
        "the base has nothing of this",
    ),
    "a new metric": (
        TTFT,
        sides([answer(None)], [answer(0.1)]),
        "NEW",
        None,
        "the base has nothing of this",
    ),
    "another machine": (
        TTFT,
        sides([answer(0.1)], [answer(0.1)], run=ELSEWHERE),
        "INCOMPARABLE",
        None,
        'cpu: "a processor" against "another"',
    ),
    "other formulas": (
        TTFT,
        sides([answer(0.1)], [answer(0.1)], run=replace(RUN, definitions_version=99)),
        "INCOMPARABLE",
        None,
        f"version of the formulas: {RUN.definitions_version} against 99",
    ),
    "other threads of the same model": (
        TTFT,
        sides([answer(0.1)], [answer(0.1)], run=with_threads(RUN, 2)),
        "INCOMPARABLE",
        None,
        "threads of scripted: 1 against 2",
    ),
    "other questions": (
        SCORE,
        sides(RIGHT[:1], ASKING[:1]),
        "INCOMPARABLE",
        None,
        "no case asks the same on both sides",
    ),
    "other questions that are timed": (
        TTFT,
        sides([answer(0.1)], ASKING[1:]),
        "INCOMPARABLE",
        None,
        "no case asks the same on both sides",
    ),
    "all answers failed": (
        TTFT,
        sides([answer(0.1)], [blocks.failed(answer(0.1))]),
        "MISSING",
        None,
        "the base has values of it, and the candidate was run whole and has none",
    ),
    "all answers of chosen models failed": (
        TTFT,
        sides([answer(0.1)], [blocks.failed(answer(0.1))], run=replace(RUN, selection="matrix")),
        "INCONCLUSIVE",
        None,
        "no case has a value on both sides",
    ),
    "a group is gone": (
        SCORE,
        sides(RIGHT, []),
        "MISSING",
        None,
        "the base has it, and the candidate was run whole and has it not",
    ),
    "interrupted": (
        SCORE,
        sides(RIGHT, WRONG, run=replace(RUN, state="interrupted")),
        "INCOMPLETE",
        None,
        "run run is interrupted: not every trial that it planned is recorded",
    ),
    "the base was interrupted": (
        SCORE,
        sides(RIGHT, RIGHT, base_run=replace(BASE, state="interrupted")),
        "INCOMPLETE",
        None,
        "run base is interrupted: not every trial that it planned is recorded",
    ),
    "a part": (
        SCORE,
        sides(RIGHT, RIGHT, run=replace(RUN, selection="part")),
        "INCOMPLETE",
        None,
        "run run is of a part of its suites; run them whole",
    ),
    "a busy machine": (
        TTFT,
        replace(sides([answer(0.1)], [answer(0.2)], run=replace(RUN, noise=BUSY)), earlier=BEFORE),
        "INVALID",
        None,
        "made on a busy machine: run run",
    ),
    "both on a busy machine": (
        TTFT,
        replace(
            sides(
                [answer(0.1)],
                [answer(0.2)],
                run=replace(RUN, noise=BUSY),
                base_run=replace(BASE, noise=BUSY),
            ),
            earlier=BEFORE,
        ),
        "INVALID",
        None,
        "made on a busy machine: run run and run base",
    ),
    "a busy machine of which no noise is known": (
        TTFT,
        sides([answer(0.1)], [answer(0.2)], run=replace(RUN, noise=BUSY)),
        "INCONCLUSIVE",
        "worse",
        UNKNOWN_NOISE,
    ),
    "few answers of a busy machine": (
        replace(TTFT, percentile=90),
        replace(sides([answer(0.1)], [answer(0.2)], run=replace(RUN, noise=BUSY)), earlier=BEFORE),
        "INCONCLUSIVE",
        None,
        "a p90 needs 29 answers, and there are 1",
    ),
    "one start on a busy machine against a limit": (
        Gate(id="limit", metric="ttft_s", limit=0.15),
        sides(None, [answer(0.2)], run=replace(RUN, noise=BUSY)),
        "INCONCLUSIVE",
        None,
        ONE_BLOCK,
    ),
    "no case of kind benchmark in turn": (
        TTFT,
        sides([answer(0.1, kind="quality")], [answer(0.2, kind="quality")], together=True),
        "INCONCLUSIVE",
        "worse",
        ONLY_BENCHMARKS,
    ),
    "no case of kind benchmark against a limit": (
        Gate(id="limit", metric="ttft_s", limit=0.15),
        sides(None, [answer(0.2, kind="quality")], together=True),
        "INCONCLUSIVE",
        None,
        ONLY_BENCHMARKS,
    ),
    "no block has both sides": (
        TTFT,
        sides(in_blocks([0.1, None]), in_blocks([None, 0.1]), together=True),
        "INCONCLUSIVE",
        None,
        "there is no block in which a case has a value on both sides",
    ),
    "spoiled blocks": (TTFT, replace(turned(0.2), spoiled="throttled"), "INVALID", None, "throttled"),
}


@pytest.mark.parametrize("name", TABLE)
def test_each_verdict_is_found_where_it_holds(name: str) -> None:
    """With its reason and its lean."""
    gate, of, verdict, lean, reason = TABLE[name]
    found = the_one(gate, of).comparison
    assert (found.verdict, found.lean, found.reason) == (verdict, lean, reason)


def test_the_table_has_every_verdict_but_that_of_a_person() -> None:
    """An acceptance is added to a regression when a run is held against its base."""
    assert {verdict for _, _, verdict, _, _ in TABLE.values()} == set(get_args(Verdict)) - {"ACCEPTED"}


@pytest.mark.parametrize("name", ["few scores", "blocks differ too much"])
def test_what_is_not_decided_says_how_many_would_decide(name: str) -> None:
    """More than there are."""
    gate, of, *_ = TABLE[name]
    found = the_one(gate, of).comparison
    assert found.needed is not None
    assert found.needed > found.n


def test_scores_are_compared_across_machines_and_noise() -> None:
    """An answer is as right on a busy one."""
    run = replace(ELSEWHERE, noise=BUSY, definitions_version=99)
    assert the_one(SCORE, sides(RIGHT, WRONG, run=run)).comparison.verdict == "REGRESSED"


def test_blocks_in_turn_are_valid_on_a_busy_machine() -> None:
    """Both sides had the same neighbours."""
    of = turned(0.2)
    busy = replace(of, candidate=replace(of.candidate, run=replace(RUN, noise=BUSY)))
    assert the_one(TTFT, busy).comparison.verdict == "REGRESSED"


def test_a_limit_is_held_whatever_the_base_is() -> None:
    """Noisy, interrupted, of another machine, or none; its own noise and end count."""
    gate = Gate(id="limit", metric="ttft_s", limit=2.0)
    fast = blocks.in_turn([noise - 1 for noise in NOISE]).candidate
    bases = [
        sides(None, fast),
        sides(fast, fast, base_run=replace(BASE, noise=BUSY)),
        sides(fast, fast, base_run=replace(BASE, state="interrupted")),
        sides(fast, fast, base_run=replace(BASE, host=ELSEWHERE.host)),
    ]
    assert [the_one(gate, of).comparison.verdict for of in bases] == ["PASS"] * 4
    ended = sides(None, fast, run=replace(RUN, state="interrupted"))
    assert the_one(gate, ended).comparison.verdict == "INCOMPLETE"
    share = Gate(id="share", metric="score", limit=0.9)
    assert the_one(share, sides(None, RIGHT)).comparison.verdict == "PASS"
    assert the_one(share, sides(None, WRONG)).comparison.verdict == "REGRESSED"


def test_a_limit_that_a_busy_machine_keeps_is_kept() -> None:
    """And one that it breaks may have been broken by what else ran."""
    fast = blocks.in_turn([noise - 1 for noise in NOISE]).candidate
    noisy = sides(None, fast, run=replace(RUN, noise=BUSY))
    for limit, verdict in ((2.0, "PASS"), (0.01, "INVALID")):
        gate = Gate(id="limit", metric="ttft_s", limit=limit)
        assert the_one(gate, noisy).comparison.verdict == verdict


def test_a_limit_of_blocks_in_turn_is_looked_at_when_the_gate_says() -> None:
    """They end when all is decided, so that each look has its level."""
    gate = Gate(id="limit", metric="ttft_s", limit=2.0, min_blocks=6, max_blocks=12)
    fast = blocks.in_turn([noise - 1 for noise in NOISE]).candidate
    found = the_one(gate, sides(fast, fast, together=True)).comparison
    spent = 2 * stats.norm.sf(stats.norm.isf(0.025) / math.sqrt(6 / 12))
    assert (found.n, found.verdict) == (6, "PASS")
    assert found.level == pytest.approx(spent)


def test_the_blocks_of_a_gate_say_when_it_is_looked_at() -> None:
    """And no more than were asked for are waited for."""
    gate = replace(TTFT, min_blocks=3, max_blocks=9)
    slower = blocks.in_turn([0.5 + noise for noise in NOISE[:4]])
    of = sides(slower.base, slower.candidate, together=True)
    assert the_one(gate, of).comparison.n == 3
    assert the_one(TTFT, of).comparison.reason == "it is first looked at after 5 blocks"
    found = the_one(TTFT, replace(of, blocks=4)).comparison
    assert (found.n, found.verdict) == (4, "REGRESSED")
    assert found.level == pytest.approx(0.05)


def test_runs_by_themselves_are_judged_by_earlier_ones() -> None:
    """Whose noise is known; without them nothing is proved."""
    of = sides([answer(0.1)], [answer(0.15)])
    assert the_one(TTFT, of).comparison.verdict == "INCONCLUSIVE"
    assert the_one(TTFT, replace(of, earlier=BEFORE)).comparison.verdict == "REGRESSED"
    other = tuple(replace(each, run=with_threads(each.run, 2)) for each in BEFORE)
    assert the_one(TTFT, replace(of, earlier=other)).comparison.verdict == "INCONCLUSIVE"


def test_gates_whose_answers_are_identical_cost_the_others_nothing() -> None:
    """They cannot be called REGRESSED, and say nothing of times."""
    slower = blocks.in_turn([0.06 + noise for noise in NOISE])
    of = sides((*slower.base, *RIGHT), (*slower.candidate, *RIGHT), together=True, most=12)
    near = replace(TTFT, min_blocks=12, max_blocks=12)
    time, *scores = judge([near, *(replace(SCORE, id=f"s{at}") for at in range(20))], of)
    assert {each.comparison.lean for each in scores} == {"identical"}
    assert {each.p_adjusted for each in scores} == {None}
    assert time.p_adjusted == time.comparison.p
    assert time.comparison.verdict == "REGRESSED"


def test_a_gate_is_about_the_groups_that_it_names() -> None:
    """Each has a verdict of its own, and a name by what they differ in."""
    base = (*RIGHT, *of_group(RIGHT, profile="hot"), *of_group(RIGHT, profile="cold"))
    candidate = (*RIGHT, *of_group(WRONG, profile="hot"), *of_group(WRONG, profile="cold"))
    found = judge([replace(SCORE, where=Where(profile="*o*"))], sides(base, candidate))
    assert [(each.label, each.id) for each in found] == [
        ("hot", "score[scripted/hot/rag]"),
        ("cold", "score[scripted/cold/rag]"),
    ]
    alone = judge([replace(SCORE, where=Where(profile="hot"))], sides(base, candidate))
    assert [(each.label, each.comparison.shared) for each in alone] == [("scripted · hot · rag",) * 2]
    assert judge([replace(SCORE, where=Where(profile="none"))], sides(base, candidate)) == ()


def test_a_gate_is_about_the_cases_that_it_names() -> None:
    """On both sides."""
    where = Where(case="case-1?")
    found = the_one(replace(SCORE, where=where), sides(RIGHT, WRONG)).comparison
    assert (found.n, found.base, found.candidate) == (10, 1.0, 0.0)
    assert found.left_out == ()


def test_cases_that_a_narrow_gate_is_about_and_that_are_gone_are_missing() -> None:
    """Though the group has others."""
    gate = replace(SCORE, where=Where(case="case-7"))
    rest = [each for each in RIGHT if each.trial.cell.case.id != "case-7"]
    assert the_one(gate, sides(RIGHT, rest)).comparison.verdict == "MISSING"
    assert judge([gate], sides(RIGHT, rest, run=replace(RUN, selection="matrix"))) == ()


def test_a_group_that_never_had_the_metric_is_not_missing() -> None:
    """Benchmarks without checks had no score to lose."""
    unchecked = [
        replace(each, trial=replace(each.trial, cell=replace(each.trial.cell, case=case)))
        for each in RIGHT[:1]
        for case in [replace(each.trial.cell.case, checks=())]
    ]
    hot = of_group(unchecked, profile="hot")
    found = judge([SCORE], sides((*RIGHT, *hot), RIGHT))
    assert [each.comparison.verdict for each in found] == ["PASS"]
    assert judge([SCORE], sides(unchecked, unchecked)) == ()
    assert judge([replace(TTFT, metric="tpot_s")], sides([answer(0.1)], [answer(0.1)])) == ()


def test_a_missing_group_is_named_by_what_sets_it_apart() -> None:
    """From those that are there."""
    hot = of_group(RIGHT, profile="hot")
    found = judge([SCORE], sides((*RIGHT, *hot), RIGHT))
    assert [(each.label, each.comparison.verdict) for each in found] == [
        ("scripted · greedy · rag", "PASS"),
        ("hot", "MISSING"),
    ]


@pytest.mark.parametrize("axis", ["model", "profile", "template"])
def test_one_name_instead_of_another_is_held_against_it(
    axis: Literal["model", "profile", "template"],
) -> None:
    """Group by group; what a gate names are names of the candidate, and no group is missing."""

    def renamed(outcomes: Outcomes, name: str) -> tuple[Outcome, ...]:
        if axis == "profile":
            return of_group(outcomes, profile=name)
        if axis == "model":
            return tuple(named(each, text="Rome", model=name) for each in outcomes)
        return tuple(named(each, text="Rome", template=name) for each in outcomes)

    of = sides(renamed(RIGHT, "old"), renamed(WRONG, "new"), together=True, instead=(axis, "old"))
    found = judge([SCORE], of)
    assert [each.comparison.verdict for each in found] == ["REGRESSED"]
    assert getattr(found[0].group, axis) == "new"
    wheres = [replace(Where(), **{axis: name}) for name in ("new", "old")]  # type: ignore[arg-type]
    ours, theirs = (replace(SCORE, where=where) for where in wheres)
    assert [each.comparison.verdict for each in judge([ours], of)] == ["REGRESSED"]
    assert judge([theirs], of) == ()
    apart = judge([SCORE], replace(of, instead=None))
    assert [each.comparison.verdict for each in apart] == ["NEW", "MISSING"]


def test_two_groups_of_another_model_are_each_held_against_their_own() -> None:
    """Not against the other."""
    old = tuple(named(each, model="old") for each in (*RIGHT, *of_group(WRONG, profile="hot")))
    new = tuple(named(each, text="Rome", model="new") for each in (*WRONG, *of_group(RIGHT, profile="hot")))
    found = judge([SCORE], sides(old, new, together=True, instead=("model", "old")))
    assert [(each.label, each.comparison.verdict) for each in found] == [
        ("greedy", "REGRESSED"),
        ("hot", "PASS"),
    ]


def test_models_that_are_declared_otherwise_may_run_with_other_threads() -> None:
    """It is what is compared."""
    pair = blocks.in_turn([0.2 + noise for noise in NOISE])
    new = tuple(named(each, model="new") for each in pair.candidate)
    run = replace(RUN, engines={"new": replace(RUN.engines["scripted"], threads=2)})
    found = the_one(TTFT, sides(pair.base, new, run=run, together=True, instead=("model", "scripted")))
    assert found.comparison.verdict == "REGRESSED"


def test_gates_of_one_tier_are_one_family() -> None:
    """Twenty that prove nothing take the proof from one that is near."""
    slower = blocks.in_turn([0.06 + noise for noise in NOISE])
    of = sides(slower.base, slower.candidate, together=True, most=12)
    near = replace(TTFT, min_blocks=12, max_blocks=12)
    assert the_one(near, of).comparison.verdict == "REGRESSED"
    wide = [replace(near, id=f"wide-{at}", tolerance=0.5) for at in range(20)]
    found = judge([near, *wide], of)[0]
    assert found.comparison.verdict == "INCONCLUSIVE"
    assert found.p_adjusted == pytest.approx(21 * (found.comparison.p or 0))
    shown = [replace(each, tier="advisory") for each in wide]
    assert judge([near, *shown], of)[0].comparison.verdict == "REGRESSED"


def test_what_another_block_may_decide_is_told() -> None:
    """Gates of speed that are not decided, not only shown, and have blocks left."""
    pair = blocks.in_turn([0.04 + 4 * noise for noise in NOISE])
    of = sides((*pair.base, *RIGHT[:3]), (*pair.candidate, *WRONG[:3]), together=True)
    gates = [
        TTFT,
        replace(TTFT, id="advisory", tier="advisory"),
        replace(TTFT, id="over", max_blocks=12),
        replace(TTFT, id="wide", tolerance=5.0),
        SCORE,
    ]
    assert [each.gate.id for each in undecided(judge(gates, of))] == ["ttft"]
    ended = replace(of, candidate=replace(of.candidate, run=replace(RUN, state="interrupted")))
    assert undecided(judge(gates, ended)) == ()


def test_answers_under_a_load_are_gated_where_they_alone_have_the_metric() -> None:
    """Beside benchmarks one by one."""
    gate = Gate(id="delay", metric="queue_delay_s", tolerance=0.05)

    def side(delay: float) -> Outcomes:
        return [answer(0.1), answer(delay, case="l", metric="queue_delay_s", load=Load(rate_per_s=1.0))]

    found = the_one(gate, sides(side(0.1), side(0.2))).comparison
    assert found.difference == pytest.approx(math.log(2))
    assert found.verdict == "INCONCLUSIVE"


STATES = st.sampled_from(["running", "interrupted", "done"])
SELECTIONS = st.sampled_from(list(get_args(Selection)))
RUNS = st.builds(
    lambda state, selection, noise: replace(RUN, state=state, selection=selection, noise=noise),
    STATES,
    SELECTIONS,
    st.sampled_from([None, BUSY]),
)
SCORES = st.lists(st.sampled_from([0.0, 0.5, 1.0, None]), max_size=8).map(scored)
TIMES = st.lists(st.sampled_from([0.1, 0.11, 0.2, 0.0, None]), max_size=8).map(in_blocks)
MIXED = st.builds(lambda scores, times: (*scores, *times, *of_group(times, profile="hot")), SCORES, TIMES)
GATES = [
    SCORE,
    TTFT,
    replace(TTFT, id="p90", percentile=90),
    Gate(id="limit", metric="ttft_s", limit=0.15, tier="advisory"),
    Gate(id="share", metric="score", limit=0.5, tier="supporting"),
]


@given(RUNS, RUNS, st.none() | MIXED, MIXED, st.booleans())
def test_each_gate_has_one_verdict_in_each_group_and_what_is_not_whole_proves_nothing(
    base_run: Run, run: Run, base: Outcomes | None, candidate: Outcomes, together: bool
) -> None:
    """Whatever was recorded: no gate twice, none that breaks, and no proof from a part."""
    found = judge(GATES, sides(base, candidate, base_run=base_run, run=run, together=together))
    ids = [each.id for each in found]
    assert len(ids) == len(set(ids))
    for each in found:
        verdict = each.comparison.verdict
        assert verdict in get_args(Verdict)
        if _is_part(run):
            assert verdict == "INCOMPLETE"
        if verdict == "MISSING":
            assert run.selection == "all"
        if base is None and each.gate.limit is None:
            assert verdict in ("NEW", "INCOMPLETE")
        if base is not None and each.gate.limit is None and _is_part(base_run):
            assert verdict == "INCOMPLETE"


def _is_part(run: Run) -> bool:
    return run.state != "done" or run.selection == "part"


@given(
    st.lists(st.tuples(st.sampled_from([0.0, 1.0]), st.sampled_from([0.0, 1.0])), min_size=1, max_size=200),
    st.data(),
)
def test_losing_a_case_of_the_candidate_never_makes_a_score_pass(
    scores: list[tuple[float, float]], data: st.DataObject
) -> None:
    """Not even the one that it had lost."""
    base, candidate = (scored([pair[at] for pair in scores], text=str(at)) for at in (0, 1))
    at = data.draw(st.integers(0, len(scores) - 1))
    found = judge([SCORE], sides(base, (*candidate[:at], *candidate[at + 1 :])))
    assert [each.comparison.verdict for each in found if each.comparison.verdict == "PASS"] == []


@given(st.integers(0, 20), st.integers(0, 20), st.integers(1, 20), st.integers(0, 200))
def test_more_cases_that_change_to_and_fro_never_make_a_score_pass(
    worse: int, better: int, more: int, same: int
) -> None:
    """The mean stays, and so does the number of cases, while more of them differ."""

    def verdict(lost: int, won: int) -> Verdict:
        rest = worse + better + 2 * more + same - lost - won
        base = scored([1.0] * lost + [0.0] * won + [1.0] * rest)
        candidate = scored([0.0] * lost + [1.0] * won + [1.0] * rest, text="Rome")
        return the_one(SCORE, sides(base, candidate)).comparison.verdict

    total = worse + better + 2 * more + same
    if (worse - better) / total <= 0.02:
        assert verdict(worse, better) == "PASS" or verdict(worse + more, better + more) != "PASS"
