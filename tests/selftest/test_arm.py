"""A machine is quiet when nothing but what is measured keeps it busy."""

from __future__ import annotations

import time

import pytest

from gemma_eval.records import Noise
from gemma_eval.selftest.arm import Arm, Busyness, Machine, machine

QUIET = Noise(others_cpu=0.01)
NOISY = Noise(others_cpu=0.4, reasons=("other processes took 40 % of the processors' time",))


@pytest.mark.parametrize(
    ("pressure", "noise", "arm"),
    [
        (0.0, QUIET, "quiet"),
        (0.049, QUIET, "quiet"),
        (0.05, QUIET, "busy"),
        (0.0, NOISY, "busy"),
        (None, QUIET, "quiet"),
        (None, Noise(), "busy"),
    ],
)
def test_a_machine_is_busy_by_pressure_before_or_by_others_meanwhile(
    pressure: float | None, noise: Noise, arm: Arm
) -> None:
    """From five per cent of waiting; a system that says nothing may be busy."""
    assert Busyness(pressure=pressure, noise=noise).arm == arm


def test_a_busy_machine_says_why() -> None:
    """What is known of both moments."""
    reasons = Busyness(pressure=0.12, noise=NOISY).reasons
    assert reasons == (
        "the machine waited for the CPU 12% of the ten seconds before (PSI); below 5% is quiet",
        *NOISY.reasons,
    )
    assert Busyness(pressure=None, noise=Noise()).reasons == ("this system does not say how busy it is",)


class Watching:
    """A watch that writes down when it was ended."""

    def __init__(self, order: list[str]) -> None:
        self.order = order
        order.append("begun")

    def end(self) -> Noise:
        """Return a machine that had something else to do."""
        self.order.append("ended")
        return NOISY


def test_a_machine_is_watched_exactly_while_something_is_measured() -> None:
    """Its pressure is read before anything is done."""
    order: list[str] = []

    def pressure() -> float:
        order.append("asked")
        return 0.01

    watched = Machine(pressure=pressure, watch=lambda: Watching(order), clock=lambda: 0)
    result, busyness = watched.watched(lambda: order.append("measured"))
    assert result is None
    assert order == ["asked", "begun", "measured", "ended"]
    assert busyness == Busyness(pressure=0.01, noise=NOISY)


def test_this_machine_can_be_watched() -> None:
    """What this process does itself makes nobody else busy."""
    here = machine(time.perf_counter_ns)
    total, busyness = here.watched(lambda: sum(range(100_000)))
    assert total == 4_999_950_000
    assert busyness.arm in ("quiet", "busy")
