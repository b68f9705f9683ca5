"""The self-test: what measuring costs in this process, and how far its times over HTTP are off."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from gemma_eval.plugins import Registry
from gemma_eval.protocols import Clock
from gemma_eval.records import Harness
from gemma_eval.selftest import bars, groups
from gemma_eval.selftest.arm import Busyness, Machine
from gemma_eval.selftest.arm import machine as this_machine
from gemma_eval.selftest.bars import Bar
from gemma_eval.selftest.groups import Group, Measured, measured
from gemma_eval.selftest.live import Client
from gemma_eval.selftest.overhead import Overhead, overhead
from gemma_eval.selftest.process import running

Say = Callable[[str], None]
"""Tells a person what is measured now."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Section:
    """Figures that were measured together, and how busy the machine was meanwhile.

    `failure` is what the first stream failed with.
    """

    title: str
    busyness: Busyness
    bars: tuple[Bar, ...]
    failure: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Selftest:
    """All sections, and the figures of them that every report shows."""

    sections: tuple[Section, ...]
    harness: Harness

    @property
    def missed(self) -> tuple[Bar, ...]:
        """The figures that are not within their bars."""
        return tuple(bar for section in self.sections for bar in section.bars if bar.kept is False)


def check(
    registry: Registry,
    *,
    machine: Machine,
    client: Client | None = None,
    streams: Sequence[Group] = groups.FULL,
    say: Say = lambda _: None,
) -> Selftest:
    """Measure everything; without a `client` only what this process costs. Raises BackendError."""
    say("an engine in this process")
    cost, busyness = machine.watched(lambda: overhead(registry, clock=machine.clock))
    inside = Section(
        title="an engine in this process", busyness=busyness, bars=bars.of_overhead(cost, busyness.arm)
    )
    found = () if client is None else tuple(_over_http(streams, client=client, machine=machine, say=say))
    return Selftest(sections=(inside, *map(_section, found)), harness=_harness(cost, busyness, found))


def calibrate(registry: Registry, *, clock: Clock, with_http: bool = False, quick: bool = True) -> Harness:
    """Return what measuring costs here, for the report of a run: in 0.2 s, over HTTP in two seconds.

    Raises BackendError when the test server cannot be started.
    """
    client = http_client(registry, clock=clock) if with_http else None
    streams = groups.QUICK if quick else groups.FULL
    return check(registry, machine=this_machine(clock), client=client, streams=streams).harness


def http_client(registry: Registry, *, clock: Clock) -> Client:
    """Return the client that gemma_eval measures servers with."""
    load = registry.backends.find("openai_http")
    return Client(load=load, clock=clock, cpu_clock=time.process_time_ns)


def _over_http(streams: Sequence[Group], *, client: Client, machine: Machine, say: Say) -> Iterator[Measured]:
    with running() as server:
        for group in streams:
            say(group.title)
            yield measured(group, client=client, machine=machine, server=server)


def _section(found: Measured) -> Section:
    return Section(title=found.group.title, busyness=found.busyness, bars=found.bars, failure=found.failure)


def _harness(cost: Overhead, busyness: Busyness, found: Sequence[Measured]) -> Harness:
    """Return the figures of a report: those of one stream, and the processor time of several at once."""
    heard = [group for group in found if group.errors.streams]
    alone = [group for group in heard if group.group.in_flight == 1]
    ttft = [group.errors.ttft_ms for group in alone if "ttft" in group.group.asked]
    gaps = [group.errors for group in alone if "gaps" in group.group.asked]
    work = [group.cpu_us_per_token for group in heard if "work" in group.group.asked]
    arms = {busyness.arm, *(group.busyness.arm for group in found)}
    return Harness(
        us_per_token=cost.us_per_token,
        ms_per_request=cost.ms_per_request,
        http_cpu_us_per_token=next(iter(work), None),
        http_ttft_error_ms=next(iter(ttft), None),
        http_itl_error_ms=next((errors.itl_ms for errors in gaps), None),
        http_tpot_error_ms=next((errors.tpot_ms for errors in gaps), None),
        arm="busy" if "busy" in arms else "quiet",
    )
