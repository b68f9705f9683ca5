"""Read what a case says of its requests: how they arrive, `load`, and which of them are good, `slo`."""

from __future__ import annotations

from collections.abc import Mapping

from gemma_eval.cases.problems import Problems
from gemma_eval.cases.schema import Choices, LoadRow, SloRow
from gemma_eval.files import locate, rows
from gemma_eval.records import Case, Load, Slo

FROM_SCHEDULE = ("ttft_sched_s", "e2e_sched_s", "queue_delay_s")
"""Latencies that only a request has which was due at a time."""

_OPEN_LOOP = ("arrival", "max_in_flight")
"""Keys that say something of an open loop alone."""


def check_tables(at: locate.Path, row: Choices, problems: Problems) -> None:
    """Note what is wrong with the `load` and the `slo` of one table by themselves."""
    if row.load is not None:
        _check_load((*at, "load"), row.load, problems)
    if row.slo is not None:
        _check_slo((*at, "slo"), row.slo, problems)


def load(row: LoadRow | None) -> Load | None:
    """Return the load of a table that may be incomplete."""
    return None if row is None else Load(**row.model_dump(exclude_none=True))


def slo(row: SloRow | None) -> Slo | None:
    """Return the limits of a table, in the order of the fields."""
    return None if row is None else Slo(limits=_limits(row), may_miss=tuple(row.may_miss or ()))


def misfit(load: Load, *, repeats: int) -> str | None:
    """Say why so many requests are too few for a load: some are to be measured, and some to be at once."""
    edges = load.warmup + load.cooldown
    if edges >= repeats:
        what = f"load.warmup + load.cooldown = {edges} leaves none of repeats = {repeats} to be measured"
        return f"{what}; give more repeats"
    if load.concurrency is not None and load.concurrency > repeats:
        what = f"load.concurrency is {load.concurrency}, more requests than repeats = {repeats} makes"
        return f"{what}; give more repeats"
    return None


def check_case(at: locate.Path, row: Choices, case: Case, problems: Problems) -> None:
    """Note where the load and the limits of a case, its own or by default, do not go with the rest of it."""
    for key, given in (("load", row.load), ("slo", row.slo)):
        if given is not None and case.kind != "benchmark" and (*at, "kind") not in problems.flawed:
            timed = 'add kind = "benchmark", or leave it out'
            mended = "a text that is read is not; leave it out" if case.is_read else timed
            problems.say((*at, key), f"{key} is about requests that are timed; {mended}")
    what = None if case.load is None else misfit(case.load, repeats=case.repeats)
    if what and not _flawed(at, problems):
        problems.say((*at, "load") if row.load else at, what)
    scheduled = case.load is not None and case.load.rate_per_s is not None
    late = [name for name in (case.slo.limits if case.slo else ()) if name in FROM_SCHEDULE]
    if late and not scheduled:
        what = f"slo.{late[0]} needs requests that are due at a time; give load a rate_per_s"
        problems.say((*at, "slo", late[0]) if row.slo else at, f"{what}, or limit ttft_s or e2e_s")


def _check_load(at: locate.Path, row: LoadRow, problems: Problems) -> None:
    if row.concurrency is not None and row.rate_per_s is not None:
        problems.say(at, "load has both concurrency and rate_per_s; give one of them")
    elif row.concurrency is None and row.rate_per_s is None and at not in problems.flawed:
        problems.say(at, "load has neither concurrency nor rate_per_s; give one of them")
    elif row.concurrency is not None:
        for key in _OPEN_LOOP:
            if getattr(row, key) is not None:
                what = "is of requests that come by themselves; give rate_per_s, or leave it out"
                problems.say((*at, key), f"load.{key} {what}")


def _check_slo(at: locate.Path, row: SloRow, problems: Problems) -> None:
    limits = _limits(row)
    if not limits and at not in problems.flawed:
        problems.say(at, "slo has no limit; give one, as slo = {ttft_s = 0.5}")
    for index, name in enumerate(row.may_miss or ()):
        if name not in limits and (*at, name) not in problems.flawed:
            problems.say((*at, "may_miss", index), f"slo.may_miss: {rows.unknown('limit', name, limits)}")


def _limits(row: SloRow) -> Mapping[str, float]:
    given = row.model_dump(exclude={"may_miss"}, exclude_none=True)
    return {name: float(limit) for name, limit in given.items()}


def _flawed(at: locate.Path, problems: Problems) -> bool:
    """Whether numbers that are missing or wrong were noted already."""
    of_the_case = {(*at, "load"), (*at, "repeats")}
    of_the_defaults = {("defaults", "load"), ("defaults", "repeats")}
    return bool(problems.flawed & (of_the_case | of_the_defaults))
