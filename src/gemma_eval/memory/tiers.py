"""How long the passages of each tier are kept, how many, which goes first and which move on: rules as data.

All functions are pure and are given the time. Only a time that lies behind what a passage says can expire
it, so that a clock that goes backwards forgets nothing.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from types import MappingProxyType
from typing import Protocol, cast, get_args, runtime_checkable

from gemma_eval.errors import UsageError, suggestion
from gemma_eval.records import MemoryTier, Piece

DAY_S = 86_400.0
LEAST_IMPORTANCE = 1e-6
"""What an importance of 0 counts as, for its logarithm."""
MOST = 1 << 62
"""The greatest number of a rule, of times that a passage was given, and of seconds."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TierRule:
    """How one tier keeps its passages; what is `None` never happens.

    It holds `capacity` passages, each for `ttl_s` seconds after it came. Their worth falls by the factor
    e^-`decay_per_day` a day after they were last used. A passage moves on to the tier `promotes_to` when it
    was given to a model `promote_accesses` times, is as important as `promote_importance`, and is
    `promote_age_s` seconds old: of those that are set, all.
    """

    capacity: int | None = None
    ttl_s: float | None = None
    decay_per_day: float = 0.1
    promotes_to: MemoryTier | None = None
    promote_accesses: int | None = None
    promote_importance: float | None = None
    promote_age_s: float | None = None


Rules = Mapping[MemoryTier, TierRule]

DEFAULTS: Rules = MappingProxyType(
    {
        "working": TierRule(
            capacity=15, ttl_s=900.0, decay_per_day=24.0, promotes_to="short_term", promote_accesses=2
        ),
        "short_term": TierRule(
            capacity=100, ttl_s=3_600.0, decay_per_day=6.0, promotes_to="long_term", promote_accesses=3
        ),
        "long_term": TierRule(
            capacity=10_000,
            ttl_s=30 * DAY_S,
            promotes_to="semantic",
            promote_accesses=10,
            promote_importance=0.75,
            promote_age_s=DAY_S,
        ),
        "episodic": TierRule(
            capacity=5_000,
            ttl_s=7 * DAY_S,
            promotes_to="long_term",
            promote_accesses=3,
            promote_importance=0.75,
        ),
        "semantic": TierRule(capacity=50_000, decay_per_day=0.0),
    }
)
"""Capacities and times as in the design that this one follows; the other numbers are in docs/memory.md."""


@runtime_checkable
class KeepsRules(Protocol):
    """A store whose rules are kept in it, so that whoever opens it goes by the same."""

    def rules(self) -> Rules:
        """Return the rule of every tier."""

    def set_rules(self, rules: Rules) -> None:
        """Keep other rules; they hold from the next passage that is added on."""


def admitted(piece: Piece, *, now_s: float, rules: Rules = DEFAULTS) -> Piece:
    """Return a passage as a store keeps it that is given it now: with when it came and when it goes.

    What it says itself stays.
    """
    ttl_s = rules[piece.tier].ttl_s
    expires_s = now_s + ttl_s if piece.expires_s is None and ttl_s is not None else piece.expires_s
    return replace(piece, at_s=now_s if piece.at_s is None else piece.at_s, expires_s=expires_s)


def is_past(piece: Piece, *, now_s: float) -> bool:
    """Whether the time of a passage is over."""
    return piece.expires_s is not None and piece.expires_s < now_s


def worth(piece: Piece, *, rules: Rules = DEFAULTS) -> float:
    """Return a number by which the passages of one tier are compared when it is full; the least goes first.

    At the time t a passage is worth importance · (1 + ln(1 + accesses)) · e^(-decay · (t - last)), where
    `last` is when it was last used or else came. This is the logarithm of that at t = 0: since all passages
    of a tier decay alike, their order does not depend on t, and a store can keep the number beside each.
    """
    last_s = max(piece.at_s or 0.0, piece.accessed_s or 0.0)
    used = max(piece.importance, LEAST_IMPORTANCE) * (1 + math.log1p(piece.accesses))
    return math.log(used) + rules[piece.tier].decay_per_day * last_s / DAY_S


def given(piece: Piece, *, now_s: float) -> Piece:
    """Return a passage as it is after a model was given it; the time of that never goes backwards."""
    accessed_s = now_s if piece.accessed_s is None else max(piece.accessed_s, now_s)
    return replace(piece, accessed_s=accessed_s, accesses=piece.accesses + 1)


def promoted(piece: Piece, *, now_s: float, rules: Rules = DEFAULTS) -> Piece | None:
    """Return a passage in the tier that it has earned, `None` where it stays.

    There it counts as new: its accesses begin at 0, and it lives as long as that tier lets it, at least as
    long as before.
    """
    rule = rules[piece.tier]
    if rule.promotes_to is None or is_past(piece, now_s=now_s) or not _has_earned(piece, rule, now_s=now_s):
        return None
    moved = replace(piece, tier=rule.promotes_to, expires_s=None, accesses=0)
    again = admitted(moved, now_s=now_s, rules=rules)
    if again.expires_s is None or piece.expires_s is None:
        return again
    return replace(again, expires_s=max(again.expires_s, piece.expires_s))


def crowded_out(
    kept: Iterable[Piece], *, rules: Rules = DEFAULTS, coming: Collection[str] = ()
) -> tuple[Piece, ...]:
    """Return the passages that have no place among all that would be `kept`, the least worth first.

    Those whose ids are `coming` go last: what was said just now is not lost to what is older.
    """
    by_tier: dict[MemoryTier, list[Piece]] = {}
    for piece in kept:
        by_tier.setdefault(piece.tier, []).append(piece)
    out: list[Piece] = []
    for tier, pieces in by_tier.items():
        capacity = rules[tier].capacity
        if capacity is not None and len(pieces) > capacity:
            order = sorted(pieces, key=lambda each: (each.id in coming, worth(each, rules=rules), each.id))
            out.extend(order[: len(pieces) - capacity])
    return tuple(out)


def to_table(rules: Rules) -> dict[str, dict[str, object]]:
    """Return rules as JSON can hold them."""
    return {tier: asdict(rule) for tier, rule in rules.items()}


def from_table(table: Mapping[str, object], *, base: Rules = DEFAULTS) -> Rules:
    """Return `base` with what a table gives, by tier and key. Raises UsageError."""
    rules = dict(base)
    for tier, given_ in table.items():
        if tier not in get_args(MemoryTier):
            raise UsageError(f'no tier named "{tier}"{suggestion(tier, get_args(MemoryTier))}')
        if not isinstance(given_, Mapping):
            raise UsageError(f"tier {tier} needs a table of rules, as {{capacity = 100}}")
        rules[cast(MemoryTier, tier)] = _rule(tier, given_, rules[cast(MemoryTier, tier)])
    return MappingProxyType(rules)


def changed(rules: Rules, settings: Iterable[str]) -> Rules:
    """Return rules with settings as a person types them: `semantic.capacity=200000`, `working.ttl_s=none`.

    Raises UsageError.
    """
    for setting in settings:
        place, equals, value = setting.partition("=")
        tier, dot, key = place.partition(".")
        if not (equals and dot):
            raise UsageError(
                f'"{setting}" is no rule of a tier; write TIER.KEY=VALUE, as semantic.capacity=1'
            )
        rules = from_table({tier: {key: _typed(value)}}, base=rules)
    return rules


def _has_earned(piece: Piece, rule: TierRule, *, now_s: float) -> bool:
    conditions = (
        (rule.promote_accesses, piece.accesses),
        (rule.promote_importance, piece.importance),
        (rule.promote_age_s, now_s - (now_s if piece.at_s is None else piece.at_s)),
    )
    wanted = [(least, has) for least, has in conditions if least is not None]
    return bool(wanted) and all(has >= least for least, has in wanted)


def _rule(tier: str, table: Mapping[object, object], base: TierRule) -> TierRule:
    known = tuple(each.name for each in fields(TierRule))
    for key, value in table.items():
        if key not in known:
            raise UsageError(f'tier {tier}: no rule named "{key}"{suggestion(str(key), known)}')
        if flaw := _flaw(str(key), value):
            raise UsageError(f"{tier}.{key} {flaw}, not {value!r}")
        base = replace(base, **{str(key): value})  # type: ignore[arg-type]  # checked by _flaw
    return base


def _flaw(key: str, value: object) -> str | None:
    """Return what a rule must be where it is not."""
    if key == "promotes_to":
        return None if value is None or value in get_args(MemoryTier) else "is the name of a tier or none"
    if value is None:
        return "is a number" if key == "decay_per_day" else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= MOST:
        return "is a number or none"
    if key in ("capacity", "promote_accesses") and not isinstance(value, int):
        return "is a whole number or none"
    least = 1 if key == "capacity" else 0
    return None if value >= least else f"is at least {least}"


def _typed(text: str) -> object:
    if text.strip().lower() in ("none", "never", ""):
        return None
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text.strip()
