"""The critical path against the longest path of the same schedule, found by trying every one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemma_eval.records import Cached, Step, StepName, Trace
from gemma_eval.stats.critical_path import (
    BETWEEN,
    before_answer,
    critical_path,
    is_timed,
    profile,
    span_s,
)
from tests.examples import an_outcome

NAMES: tuple[StepName, ...] = get_args(StepName)
Schedule = tuple[Step, ...]


@st.composite
def schedules(draw: st.DrawFn) -> Schedule:
    """Draw steps of which each begins when the last of those that it waits for has ended."""
    names = NAMES[: draw(st.integers(1, 7))]
    made: list[Step] = []
    for place, name in enumerate(names):
        after = draw(st.sets(st.sampled_from(names[:place]))) if place else set()
        if place == len(names) - 1:
            after = set(names[:place])  # the last one waits for all, as an answer does
        began = max((step.ended_ns for step in made if step.name in after), default=0)
        # Powers of two plus a share: no two sums of them are the same, so that one path is the longest.
        took = 2**place * 1000 + draw(st.integers(1, 400))
        made.append(Step(name=name, began_ns=began, ended_ns=began + took, after=tuple(sorted(after))))
    return tuple(made)


def every_path(steps: Schedule) -> Iterator[tuple[Step, ...]]:
    """Yield each chain of steps that ends with the last: an independent way to the same path."""

    def ending(step: Step) -> Iterator[tuple[Step, ...]]:
        before = [each for each in steps if each.name in step.after]
        if not before:
            yield (step,)
        for each in before:
            yield from ((*path, step) for path in ending(each))

    yield from ending(max(steps, key=lambda each: each.ended_ns))


def took(path: Sequence[Step]) -> int:
    """Return what a chain takes, by the durations alone."""
    return sum(step.ended_ns - step.began_ns for step in path)


def differ(steps: Schedule, found: Mapping[str, int]) -> bool:
    """Whether what was found is not the longest of all paths."""
    longest = max(every_path(steps), key=took)
    return dict(found) != {step.name: step.ended_ns - step.began_ns for step in longest}


@settings(max_examples=60)
@given(schedules())
def test_the_critical_path_is_the_longest_of_all_paths(steps: Schedule) -> None:
    """By the durations of every chain of steps, which know nothing of when they ended."""
    assert not differ(steps, critical_path(steps))


def test_a_path_that_takes_the_first_leg_is_noticed() -> None:
    """The planted error: the check tells the leg that was waited for from the one that was over."""
    embed = Step(name="embed", began_ns=0, ended_ns=50)
    lexical = Step(name="lexical", began_ns=0, ended_ns=20)
    fuse = Step(name="fuse", began_ns=50, ended_ns=60, after=("lexical", "embed"))
    assert differ((embed, lexical, fuse), {"lexical": 20, "fuse": 10})
    assert differ((embed, lexical, fuse), {"lexical": 20, "embed": 50, "fuse": 10})  # the sum of all
    assert not differ((embed, lexical, fuse), {"embed": 50, "fuse": 10})


@settings(max_examples=30)
@given(schedules(), st.integers(1, 100))
def test_parts_of_the_path_add_up_to_the_whole_time(steps: Schedule, wait: int) -> None:
    """Also where time goes by between steps."""
    later = tuple(
        replace(step, began_ns=step.began_ns + wait * place, ended_ns=step.ended_ns + wait * place)
        for place, step in enumerate(steps)
    )
    path = critical_path(later)
    known: dict[str, Step] = {step.name: step for step in later}
    first = known[next(name for name in path if name != BETWEEN)]
    assert sum(path.values()) == max(step.ended_ns for step in later) - first.began_ns


def test_time_between_steps_is_told_as_that() -> None:
    """It is no step's."""
    pack = Step(name="pack", began_ns=0, ended_ns=5)
    render = Step(name="render", began_ns=12, ended_ns=20, after=("pack",))
    assert critical_path((pack, render)) == {"pack": 5, BETWEEN: 7, "render": 8}


def test_a_step_that_failed_was_waited_for_by_nobody() -> None:
    """And a record that waits in a circle is read to its end."""
    fuse = Step(name="fuse", began_ns=3, ended_ns=5, after=("vector", "fuse"))
    assert critical_path((fuse,)) == {"fuse": 2}
    rank = Step(name="rank", began_ns=5, ended_ns=9, after=("fuse",))
    assert set(critical_path((replace(fuse, after=("rank",)), rank))) == {"fuse", "rank"}
    assert critical_path(()) == {}
    assert span_s(()) is None


def test_a_profile_names_the_bottleneck_before_the_answer_and_of_the_whole() -> None:
    """By its share of the paths; legs beside it have none."""
    steps = (
        Step(name="embed", began_ns=0, ended_ns=6_000_000),
        Step(name="lexical", began_ns=0, ended_ns=2_000_000),
        Step(name="vector", began_ns=6_000_000, ended_ns=7_000_000, after=("embed",)),
        Step(name="fuse", began_ns=7_000_000, ended_ns=8_000_000, after=("lexical", "vector")),
    )
    one = replace(an_outcome(), trace=Trace(steps=steps), prompt=None)
    assert one.generation is not None
    later = replace(one.generation, requested_ns=8_000_000, ended_ns=39_000_000)
    found = profile([replace(one, generation=later)] * 3)
    assert (found.trials, found.bottleneck, found.before_bottleneck) == (3, "generate", "embed")
    assert (found.before_p50_s, found.before_p95_s) == (0.008, None)
    assert found.whole_p50_s == pytest.approx(0.039)
    shares = {step.name: step.share for step in found.steps}
    before = {step.name: step.share_before for step in found.steps}
    assert shares == pytest.approx(
        {"embed": 6 / 39, "lexical": 0.0, "vector": 1 / 39, "fuse": 1 / 39, "generate": 31 / 39}
    )
    assert before == {"embed": 6 / 8, "lexical": 0.0, "vector": 1 / 8, "fuse": 1 / 8, "generate": None}
    began = [step.began_p50_s or 0.0 for step in found.steps]
    assert all(earlier <= later for earlier, later in pairwise(began))


def test_what_a_cache_gave_and_what_looked_for_nothing_has_no_profile() -> None:
    """Its times are of no retrieval."""
    plain, trace = an_outcome(), Trace(steps=(Step(name="lexical", began_ns=0, ended_ns=1),))
    hit = replace(plain, trace=trace, cached=Cached(use="exact"))
    miss = replace(plain, trace=trace, cached=Cached(use="miss"))
    assert [is_timed(each) for each in (plain, hit, miss)] == [False, False, True]
    assert profile([plain, hit]).trials == 0
    assert profile([plain]).bottleneck is None
    assert [step.name for step in before_answer(miss)] == ["lexical"]
