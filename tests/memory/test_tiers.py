"""Tiers are rules as data: who goes first, who goes with time, and who moves on."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemma_eval.errors import UsageError
from gemma_eval.memory import tiers
from gemma_eval.memory.tiers import DAY_S, DEFAULTS, TierRule
from gemma_eval.records import MemoryTier, Piece

NOW_S = 1_700_000_000.0


def piece(id_: str = "a", *, tier: MemoryTier = "long_term", **more: object) -> Piece:
    """Return a passage that came a while ago."""
    made = Piece(id=id_, text="t", document="d", tier=tier, at_s=NOW_S - 10)
    return replace(made, **more)  # type: ignore[arg-type]


def test_the_defaults_hold_as_many_for_as_long_as_the_design_says() -> None:
    """Capacity and seconds by tier."""
    assert {tier: (rule.capacity, rule.ttl_s) for tier, rule in DEFAULTS.items()} == {
        "working": (15, 900),
        "short_term": (100, 3_600),
        "long_term": (10_000, 30 * 24 * 3_600),
        "episodic": (5_000, 7 * 24 * 3_600),
        "semantic": (50_000, None),
    }


def test_a_tier_fills_in_when_a_passage_came_and_goes() -> None:
    """What the passage says itself stays."""
    bare = Piece(id="a", text="t", document="d", tier="working")
    assert tiers.admitted(bare, now_s=NOW_S) == replace(bare, at_s=NOW_S, expires_s=NOW_S + 900)
    said = replace(bare, at_s=5.0, expires_s=7.0)
    assert tiers.admitted(said, now_s=NOW_S) == said
    assert tiers.admitted(piece(tier="semantic"), now_s=NOW_S).expires_s is None


def test_only_a_time_behind_its_end_ends_a_passage() -> None:
    """Not the end itself, and no clock that goes backwards."""
    brief = piece(expires_s=NOW_S)
    assert not tiers.is_past(brief, now_s=NOW_S)
    assert not tiers.is_past(brief, now_s=-NOW_S)
    assert tiers.is_past(brief, now_s=math.nextafter(NOW_S, math.inf))
    assert not tiers.is_past(piece(), now_s=math.inf)


def worth_at(each: Piece, *, now_s: float, rule: TierRule) -> float:
    """Return what a passage is worth at a time, by the formula as it is written."""
    last_s = max(each.at_s or 0.0, each.accessed_s or 0.0)
    decay = math.exp(-rule.decay_per_day * (now_s - last_s) / 86_400)
    return each.importance * (1 + math.log(1 + each.accesses)) * decay


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(st.floats(0.01, 1), st.integers(0, 50), st.floats(0, 30 * DAY_S)), min_size=2, max_size=6
    )
)
def test_the_kept_number_orders_as_the_worth_does_at_any_time(made: list[tuple[float, int, float]]) -> None:
    """Held against the formula, now and weeks later."""
    pieces = [
        piece(str(number), importance=importance, accesses=accesses, at_s=NOW_S - age_s)
        for number, (importance, accesses, age_s) in enumerate(made)
    ]
    for now_s in (NOW_S, NOW_S + 20 * DAY_S):
        ordered = sorted(pieces, key=tiers.worth)
        worths = [worth_at(each, now_s=now_s, rule=DEFAULTS["long_term"]) for each in ordered]
        assert all(after >= before * (1 - 1e-9) for before, after in pairwise(worths))


def test_a_worth_without_decay_would_be_noticed() -> None:
    """The test above looks at time: by another decay the order is another."""
    often, lately = piece(accesses=9, at_s=NOW_S - 20 * DAY_S), piece(accessed_s=NOW_S)
    still = {**DEFAULTS, "long_term": replace(DEFAULTS["long_term"], decay_per_day=0.0)}
    assert tiers.worth(often) < tiers.worth(lately)
    assert tiers.worth(often, rules=still) > tiers.worth(lately, rules=still)


def test_an_importance_of_nothing_can_still_be_compared() -> None:
    """It has no logarithm."""
    assert tiers.worth(piece(importance=0.0, accessed_s=NOW_S)) > tiers.worth(piece(importance=0.0, at_s=0.0))


def test_use_is_counted_and_its_time_never_goes_backwards() -> None:
    """Whatever the clock does."""
    used = tiers.given(tiers.given(piece(), now_s=NOW_S), now_s=NOW_S - 5)
    assert (used.accesses, used.accessed_s) == (2, NOW_S)


@settings(max_examples=40)
@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=25))
def test_a_full_tier_keeps_as_many_as_it_holds_and_the_rest_is_worth_least(
    made: list[tuple[float, bool]],
) -> None:
    """Of those that came before; what just came goes when nothing else is left to go."""
    pieces = [piece(f"{n:02}", tier="working", importance=worth) for n, (worth, _) in enumerate(made)]
    coming = {f"{n:02}" for n, (_, is_coming) in enumerate(made) if is_coming}
    out = tiers.crowded_out(pieces, coming=coming)
    assert len(out) == max(0, len(pieces) - 15)
    kept = [each for each in pieces if each not in out]
    if any(each.id in coming for each in out):
        assert all(each.id in coming for each in kept)
    for gone in out:
        rivals = [each for each in kept if (each.id in coming) == (gone.id in coming)]
        assert all(tiers.worth(each) >= tiers.worth(gone) for each in rivals)


def test_tiers_do_not_crowd_each_other() -> None:
    """Each has its own capacity."""
    full = [piece(str(n), tier="working") for n in range(15)]
    assert tiers.crowded_out([*full, piece("other", tier="episodic")]) == ()


def test_a_passage_moves_on_when_all_that_its_tier_asks_for_is_so() -> None:
    """It begins anew there."""
    rules = tiers.changed(
        DEFAULTS,
        ["episodic.promote_accesses=3", "episodic.promote_importance=0.75", "episodic.promote_age_s=60"],
    )
    ready = piece(tier="episodic", accesses=3, importance=0.75, at_s=NOW_S - 60, expires_s=NOW_S + 5)
    moved = tiers.promoted(ready, now_s=NOW_S, rules=rules)
    assert moved == replace(ready, tier="long_term", accesses=0, expires_s=NOW_S + 30 * DAY_S)
    for less in (
        replace(ready, accesses=2),
        replace(ready, importance=0.7),
        replace(ready, at_s=NOW_S - 59),
        replace(ready, expires_s=NOW_S - 1),
    ):
        assert tiers.promoted(less, now_s=NOW_S, rules=rules) is None


def test_moving_on_never_shortens_a_life() -> None:
    """A passage that would live longer than its new tier lets it does."""
    long = piece(tier="episodic", accesses=9, importance=1.0, expires_s=NOW_S + 90 * DAY_S)
    moved = tiers.promoted(long, now_s=NOW_S)
    assert moved is not None
    assert moved.expires_s == long.expires_s


def test_a_clock_that_goes_backwards_moves_and_ends_nothing() -> None:
    """Its age is below 0 then."""
    young = piece(accesses=99, importance=1.0, at_s=NOW_S, expires_s=NOW_S + 1)
    assert tiers.promoted(young, now_s=NOW_S - 1e6) is None
    assert not tiers.is_past(young, now_s=NOW_S - 1e6)


def test_a_tier_without_conditions_keeps_its_passages() -> None:
    """And so does one that has nowhere to move them."""
    rules = {**DEFAULTS, "episodic": TierRule(promotes_to="semantic")}
    assert tiers.promoted(piece(tier="episodic", accesses=99), now_s=NOW_S, rules=rules) is None
    assert tiers.promoted(piece(tier="semantic", accesses=99), now_s=NOW_S) is None


def test_rules_go_through_json_unchanged() -> None:
    """As a store keeps them."""
    assert tiers.from_table(json.loads(json.dumps(tiers.to_table(DEFAULTS)))) == DEFAULTS


@pytest.mark.parametrize(
    ("setting", "what"),
    [
        ("semantik.capacity=1", 'did you mean "semantic"'),
        ("semantic.capacty=1", 'did you mean "capacity"'),
        ("semantic.capacity", "write TIER.KEY=VALUE"),
        ("semantic=5", "write TIER.KEY=VALUE"),
        ("semantic.capacity=0", "is at least 1, not 0"),
        ("semantic.capacity=1.5", "is a whole number or none"),
        ("semantic.capacity=many", "is a number or none"),
        ("working.ttl_s=-1", "is at least 0"),
        ("working.ttl_s=nan", "is a number or none"),
        ("working.decay_per_day=none", "is a number"),
        ("working.promotes_to=heaven", "is the name of a tier or none"),
    ],
)
def test_a_rule_that_cannot_be_is_refused(setting: str, what: str) -> None:
    """With what would be right."""
    with pytest.raises(UsageError) as refused:
        tiers.changed(DEFAULTS, [setting])
    assert what in str(refused.value)


def test_a_table_of_rules_that_is_none_is_refused() -> None:
    """A damaged one, say."""
    with pytest.raises(UsageError, match="needs a table"):
        tiers.from_table({"working": 5})


def test_rules_are_set_as_a_person_types_them() -> None:
    """Numbers, none, and names of tiers."""
    rules = tiers.changed(
        DEFAULTS, ["semantic.capacity=200000", "working.ttl_s=none", "working.promotes_to=episodic"]
    )
    assert rules["semantic"].capacity == 200_000
    assert rules["working"].ttl_s is None
    assert rules["working"].promotes_to == "episodic"
    assert rules["short_term"] == DEFAULTS["short_term"]
