"""A table of loads: how an engine served many requests of one case, and what has to be said about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from gemma_eval.records import Load, Slo, Summary
from gemma_eval.report import numbers
from gemma_eval.report.cells import TimedCell
from gemma_eval.report.figure import Figure
from gemma_eval.report.groups import Groups
from gemma_eval.report.reasons import Lack, in_words, listed, sentences
from gemma_eval.stats.goodput import Goodput
from gemma_eval.stats.percentiles import Percent
from gemma_eval.stats.serving import Serving, serving

METRICS: Mapping[str, tuple[str, str]] = {
    "ttft_s": ("TTFT", "s"),
    "ttft_sched_s": ("TTFT from schedule", "s"),
    "ttfo_s": ("first output token", "s"),
    "tpot_s": ("TPOT", "s"),
    "ntpot_s": ("NTPOT", "s"),
    "e2e_s": ("end to end", "s"),
    "e2e_sched_s": ("end to end from schedule", "s"),
    "max_stall_s": ("longest stall", "s"),
}
"""What an SLO may limit, in words, and its unit; another metric is called by its field."""

COLUMNS = (
    *("requests", "requests/s", "output tokens/s", "in flight"),
    *("TTFT p50", "TTFT p95", "TTFT p99", "TPOT p50", "good requests/s", "queue delay"),
)
"""The headings of the figures of a row."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LoadRow:
    """How one case was served by one model with one profile and one template, in words."""

    case: str
    label: str
    load: str
    figures: tuple[Figure, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Loads:
    """The table of loads; `notes` are good to know, `warnings` change what a figure means."""

    columns: tuple[str, ...]
    rows: tuple[LoadRow, ...]
    labelled: bool
    notes: tuple[str, ...]
    warnings: tuple[str, ...]
    lacks: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Served:
    """How the requests of one cell were served, and their times."""

    cell: TimedCell
    serving: Serving

    @property
    def ttft(self) -> Summary:
        """The time to first token from when a request was due, or from its sending where none was."""
        return self.cell.summary("ttft_sched_s" if self.serving.from_schedule else "ttft_s")


def served(cells: Sequence[TimedCell]) -> tuple[Served, ...]:
    """Return how those cells were served that have a load or an SLO."""
    with_any = (cell for cell in cells if cell.case.load is not None or cell.case.slo is not None)
    return tuple(Served(cell=cell, serving=serving(cell.outcomes)) for cell in with_any)


def loads(cells: Sequence[TimedCell], groups: Groups) -> Loads | None:
    """Arrange the cells that have a load or an SLO; `None` when there is none."""
    found = served(cells)
    if not found:
        return None
    lacks = [lack for row, each in enumerate(found) for lack in _lacks(row, each)]
    return Loads(
        columns=COLUMNS,
        rows=tuple(_row(each, groups) for each in found),
        labelled=len(groups.order) > 1,
        notes=tuple(note for each in found for note in _promised(each, groups)),
        warnings=tuple(warning for each in found for warning in warnings(each, groups)),
        lacks=sentences(lacks, rows=len(found)),
    )


def load_words(load: Load | None) -> str:
    """Say how requests arrive: `closed, 4 at once`, `open, 6/s poisson, at most 64 at once`."""
    if load is None:
        return "one at a time"
    if load.rate_per_s is None:
        return f"closed, {load.concurrency} at once"
    return f"open, {load.rate_per_s:g}/s {load.arrival}, at most {load.max_in_flight} at once"


def slo_words(slo: Slo, kept: Goodput | None = None) -> str:
    """Say what makes a request good, and which share of all kept each limit."""
    parts = []
    for metric, limit in slo.limits.items():
        name, unit = METRICS.get(metric, (metric, ""))
        share = () if kept is None else (f"kept by {numbers.share(kept.attained[metric])}",)
        more = "; ".join((*share, *(("may be missing",) if metric in slo.may_miss else ())))
        written = numbers.seconds(limit) if unit else numbers.number(limit)
        parts.append(f"{name} ≤ {written}{f' ({more})' if more else ''}")
    return listed(parts)


def warnings(each: Served, groups: Groups) -> Iterator[str]:
    """Yield what changes the meaning of a figure: waits on this side, and prompts that were not read."""
    found, name = each.serving, _name(each, groups)
    if found.queueing is not None and found.queueing.latencies_differ:
        yield (
            f"{name}: requests waited on this side, {numbers.share(found.queueing.hidden)} of all the time "
            "that users waited; the TTFT from schedule has that in it, the one from sending has not."
        )
    if found.contaminated:
        yield (
            f"{name}: {found.contaminated} of {found.scheduled} prompts came from a cache, "
            f"{numbers.count(found.cached_tokens)} tokens in all; their TTFT is that of shorter prompts."
        )
    if found.contaminated is None and found.answered:
        yield f"{name}: {in_words('cache_unknown')}, so prompts may have come from a cache."


def _row(each: Served, groups: Groups) -> LoadRow:
    found = each.serving
    return LoadRow(
        case=each.cell.name,
        label=groups.label(each.cell.group),
        load=load_words(found.load),
        figures=(
            _requests(found),
            _rate(found),
            _tokens(found),
            _in_flight(found),
            *(_ttft(each, percent) for percent in (50, 95, 99)),
            _tpot(each.cell),
            _goodput(found.goodput),
            _queue(found),
        ),
    )


def _requests(found: Serving) -> Figure:
    apart = [(found.warmup, "warm-up"), (found.cooldown, "cool-down"), (found.unrecorded, "not recorded")]
    return Figure(
        value=f"{numbers.count(found.answered)} of {numbers.count(found.scheduled)} ok",
        below=tuple(f"{count} {word}" for count, word in apart if count),
        flags=tuple(f"{count} {kind}" for kind, count in sorted(found.errors.items())),
    )


def _rate(found: Serving) -> Figure:
    value = None if found.traffic is None else found.traffic.whole.requests_per_s
    if found.queueing is None:
        return Figure(value=numbers.known(value))
    offered, sent = found.queueing.offered_per_s, found.queueing.achieved_per_s
    return Figure(
        value=numbers.known(value), below=(f"offered {numbers.known(offered)}", f"sent {numbers.known(sent)}")
    )


def _tokens(found: Serving) -> Figure:
    if found.traffic is None:
        return Figure(value=numbers.MISSING)
    whole, steady = found.traffic.whole, found.traffic.steady
    rates = {
        "steady": None if steady is None else steady.output_tokens_per_s,
        "total": whole.total_tokens_per_s,
    }
    return Figure(
        value=numbers.known(whole.output_tokens_per_s),
        below=tuple(f"{name} {numbers.number(rate)}" for name, rate in rates.items() if rate is not None),
    )


def _in_flight(found: Serving) -> Figure:
    if found.traffic is None:
        return Figure(value=numbers.MISSING)
    mean, most = found.traffic.concurrency_mean, found.traffic.concurrency_max
    return Figure(value=numbers.number(mean), below=(f"at most {most}",))


def _ttft(each: Served, percent: Percent) -> Figure:
    value = numbers.percentile(each.ttft, percent, numbers.seconds)
    if not each.serving.from_schedule:
        return Figure(value=value)
    from_sending = numbers.percentile(each.cell.summary("ttft_s"), percent, numbers.seconds)
    return Figure(value=value, below=(f"sent {from_sending}",))


def _tpot(cell: TimedCell) -> Figure:
    summary = cell.summary("tpot_s")
    p95 = numbers.percentile(summary, 95, numbers.seconds)
    return Figure(value=numbers.percentile(summary, 50, numbers.seconds), below=(f"p95 {p95}",))


def _goodput(kept: Goodput | None) -> Figure:
    if kept is None:
        return Figure(value=numbers.MISSING)
    return Figure(value=numbers.known(kept.per_s), below=(f"{numbers.share(kept.ratio)} good",))


def _queue(found: Serving) -> Figure:
    if found.queueing is None:
        return Figure(value=numbers.MISSING)
    delay = found.queueing.delay
    return Figure(value=numbers.seconds(delay.p50_s), below=(f"max {numbers.seconds(delay.max_s)}",))


def _name(each: Served, groups: Groups) -> str:
    return each.cell.name if len(groups.order) < 2 else f"{each.cell.name}, {groups.label(each.cell.group)}"


def _promised(each: Served, groups: Groups) -> Iterator[str]:
    """Yield what was promised in a cell, and how often that was kept."""
    slo, kept = each.serving.slo, each.serving.goodput
    if slo is None:
        return
    if kept is None:
        yield f"{_name(each, groups)}: good is a request with {slo_words(slo)}."
        return
    good, scheduled = numbers.count(kept.good), numbers.count(kept.scheduled)
    yield f"{_name(each, groups)}: {good} of {scheduled} requests were good, with {slo_words(slo, kept)}."


def _lacks(row: int, each: Served) -> Iterator[Lack]:
    figures = {"traffic": "rates", "queueing": "queue delay", "goodput": "goodput"}
    for field, code in each.serving.missing.items():
        if field in figures:
            yield Lack(row=row, figure=figures[field], code=code)
    for figure, summary in (("TTFT", each.ttft), ("TPOT", each.cell.summary("tpot_s"))):
        if not summary.n and not summary.censored:
            for code in each.cell.codes(summary.metric):
                yield Lack(row=row, figure=figure, code=code)
