"""The streams of the self-test, in groups that are measured together and asked the same of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from gemma_eval.selftest import bars, live
from gemma_eval.selftest.arm import Busyness, Machine
from gemma_eval.selftest.bars import LIMITS, Bar
from gemma_eval.selftest.compare import Errors
from gemma_eval.selftest.live import Client, Plan, Streams
from gemma_eval.selftest.process import RunningServer
from gemma_eval.selftest.script import Script

Asked = Literal["gaps", "ttft", "work"]
"""What a group is asked for: the times between tokens, the time to the first, or this side's work."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """Plans of one number of requests in flight."""

    title: str
    plans: tuple[Plan, ...]
    asked: tuple[Asked, ...]

    @property
    def in_flight(self) -> int:
        """The requests in flight at once."""
        return self.plans[0].in_flight


FULL = (
    Group(
        title="one stream over HTTP, gaps of 5, 10, 40 and 100 ms",
        plans=tuple(
            Plan(script=Script(pieces=pieces, gaps_ms=(gap_ms,)))
            for gap_ms, pieces in ((5, 64), (10, 48), (40, 24), (100, 12))
        ),
        asked=("gaps",),
    ),
    Group(
        title="100 short streams over HTTP, one after the other",
        plans=(Plan(script=Script(pieces=2), requests=100),),
        asked=("ttft",),
    ),
    Group(
        title="16 streams over HTTP at once",
        plans=(Plan(script=Script(pieces=64, gaps_ms=(20,)), requests=32, in_flight=16),),
        asked=("gaps", "ttft", "work"),
    ),
    Group(
        title="64 streams over HTTP at once",
        plans=(Plan(script=Script(pieces=64, gaps_ms=(20,)), requests=128, in_flight=64),),
        asked=("gaps", "ttft"),
    ),
)
"""Every group of the self-test; they take some ten seconds."""

QUICK = (
    Group(
        title="one stream over HTTP",
        plans=(Plan(script=Script(pieces=48), requests=3),),
        asked=("gaps", "ttft"),
    ),
    Group(
        title="16 streams over HTTP at once",
        plans=(Plan(script=Script(pieces=40, gaps_ms=(10,)), requests=16, in_flight=16),),
        asked=("gaps", "ttft", "work"),
    ),
)
"""Enough for the line that a report has; they take about a second."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """What came of a group: how far its times were off, the most requests at once, this side's work."""

    group: Group
    errors: Errors
    most_in_flight: int
    cpu_us_per_token: float
    busyness: Busyness
    failure: str | None

    @property
    def bars(self) -> tuple[Bar, ...]:
        """The figures, held against the limits of the arm."""
        limits = LIMITS[self.group.in_flight, self.busyness.arm]
        asked: dict[Asked, Callable[[], tuple[Bar, ...]]] = {
            "gaps": lambda: bars.of_gaps(self.errors, limits),
            "ttft": lambda: bars.of_ttft(self.errors, limits),
            "work": lambda: (bars.of_work(self.cpu_us_per_token, self.busyness.arm),),
        }
        found = [bar for name in self.group.asked for bar in asked[name]()]
        found.append(bars.exactly("requests in flight at once", self.most_in_flight, self.group.in_flight))
        found.append(bars.exactly("streams of which a piece was lost", self.errors.lost, 0))
        return tuple(found)


def measured(group: Group, *, client: Client, machine: Machine, server: RunningServer) -> Measured:
    """Have the streams of a group sent, and compare."""
    parts, busyness = machine.watched(
        lambda: [live.run(plan, client=client, server=server) for plan in group.plans]
    )
    return Measured(
        group=group,
        errors=live.together(parts),
        most_in_flight=max(part.most_in_flight for part in parts),
        cpu_us_per_token=_work(group.plans, parts),
        busyness=busyness,
        failure=next((part.failure for part in parts if part.failure), None),
    )


def _work(plans: Sequence[Plan], parts: Sequence[Streams]) -> float:
    tokens = [plan.script.output_tokens * plan.requests for plan in plans]
    spent = [part.cpu_us_per_token * n for part, n in zip(parts, tokens, strict=True)]
    return sum(spent) / sum(tokens)
