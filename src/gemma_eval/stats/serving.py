"""How an engine served the requests of one cell: errors, traffic, latencies, waits, goodput and its cache."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from gemma_eval.records import Group, Load, Outcome, Slo
from gemma_eval.stats.goodput import Goodput, goodput
from gemma_eval.stats.latencies import Latencies, latencies
from gemma_eval.stats.queueing import Queueing, queueing
from gemma_eval.stats.requests import answers, contaminated, error_kind
from gemma_eval.stats.traffic import Traffic, traffic


@dataclass(frozen=True, kw_only=True, slots=True)
class Serving:
    """What became of the requests of a cell; those of warm-up and cool-down are only counted.

    `scheduled` requests were to be measured and `answered` of them have a whole answer; `errors` counts by
    kind those that have none. After an interrupt others are not there at all. `ttft` and `e2e` are counted
    from when a request was due where it was due at a time, since a user waits from then on, and else from
    when it was sent. `cached_tokens` of the prompts were not read, and `contaminated` requests owe more than
    their markup to a cache. `missing` says why something is `None`.
    """

    suite: str
    case: str
    group: Group
    load: Load | None
    slo: Slo | None
    scheduled: int
    answered: int
    errors: Mapping[str, int]
    warmup: int
    cooldown: int
    traffic: Traffic | None
    ttft: Latencies
    e2e: Latencies
    queueing: Queueing | None
    goodput: Goodput | None
    cached_tokens: int | None
    contaminated: int | None

    @property
    def error_rate(self) -> float | None:
        """The share of the requests without a whole answer, among those that are there."""
        n_there = self.scheduled - self.unrecorded
        return sum(self.errors.values()) / n_there if n_there else None

    @property
    def unrecorded(self) -> int:
        """How many of the scheduled requests are not there: an interrupt came before them."""
        return self.scheduled - self.answered - sum(self.errors.values())

    @property
    def from_schedule(self) -> bool:
        """Whether latencies begin when requests were due, and not when they were sent."""
        return self.load is not None and self.load.rate_per_s is not None

    @property
    def missing(self) -> Mapping[str, str]:
        """The reason code of each field that is `None`.

        no_requests    none was measured
        no_stamps      none of them was sent, or no time went by
        not_scheduled  none was due at a time, but sent when there was room
        no_slo         nothing was promised
        cache_unknown  the engine does not say what it had cached
        """
        reasons = _REASONS if self.unrecorded < self.scheduled else dict.fromkeys(_REASONS, "no_requests")
        found = {name: reasons[name] for name in _REASONS if getattr(self, name) is None}
        return found if self.slo is not None else found | {"goodput": "no_slo"}


_REASONS: Mapping[str, str] = MappingProxyType(
    {
        "error_rate": "no_requests",
        "traffic": "no_stamps",
        "queueing": "not_scheduled",
        "goodput": "no_slo",
        "cached_tokens": "cache_unknown",
        "contaminated": "cache_unknown",
    }
)


def serving(outcomes: Sequence[Outcome]) -> Serving:
    """Return how one cell was served, from all of its outcomes, of which there is one at least."""
    cell = outcomes[0].trial.cell
    load, slo = cell.case.load, cell.case.slo
    phases = Counter(outcome.phase for outcome in outcomes)
    measured = [outcome for outcome in outcomes if outcome.phase == "measured"]
    errors = Counter(kind for outcome in measured if (kind := error_kind(outcome)))
    went_through = traffic(outcomes)
    scheduled = cell.case.repeats - (load.warmup + load.cooldown if load is not None else 0)
    duration_s = None if went_through is None else went_through.whole.duration_s
    since = "_sched_s" if load is not None and load.rate_per_s is not None else "_s"
    return Serving(
        suite=cell.suite,
        case=cell.case.id,
        group=cell.group,
        load=load,
        slo=slo,
        scheduled=scheduled,
        answered=len(measured) - errors.total(),
        errors=dict(errors),
        warmup=phases["warmup"],
        cooldown=phases["cooldown"],
        traffic=went_through,
        ttft=latencies(measured, f"ttft{since}"),
        e2e=latencies(measured, f"e2e{since}"),
        queueing=queueing(measured),
        goodput=None if slo is None else goodput(measured, slo, duration_s=duration_s, scheduled=scheduled),
        cached_tokens=_sum_of_known(made.cached_tokens for made in answers(measured)),
        contaminated=_sum_of_known(contaminated(outcome) for outcome in measured),
    )


def _sum_of_known(counts: Iterable[int | None]) -> int | None:
    """Add up what is known; `None` when nothing is."""
    known = [count for count in counts if count is not None]
    return sum(known) if known else None
