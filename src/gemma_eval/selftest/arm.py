"""Whether the machine was quiet while something was measured, which decides what can be asked of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol, TypeVar

from gemma_eval.measure import noise
from gemma_eval.protocols import Clock
from gemma_eval.records import Noise

T = TypeVar("T")

Arm = Literal["quiet", "busy"]


class NoiseWatch(Protocol):
    """The machine from one moment to another."""

    def end(self) -> Noise:
        """Return what it did in between."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Busyness:
    """How busy a machine was with other things: the pressure right before, and what it did meanwhile.

    The pressure meanwhile counts only as far as others can have caused it: on few processors, what is
    measured waits for itself.
    """

    pressure: float | None
    noise: Noise

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why the machine was not quiet; what cannot be known to be quiet is not."""
        if self.pressure is None and self.noise.others_cpu is None:
            return ("this system does not say how busy it is", *self.noise.reasons)
        if self.pressure is not None and self.pressure >= noise.CPU_PRESSURE:
            waited = f"the machine waited for the CPU {self.pressure:.0%} of the ten seconds before (PSI)"
            return (f"{waited}; below {noise.CPU_PRESSURE:.0%} is quiet", *self.noise.reasons)
        return self.noise.reasons

    @property
    def arm(self) -> Arm:
        """Which limits hold."""
        return "busy" if self.reasons else "quiet"


@dataclass(frozen=True, kw_only=True, slots=True)
class Machine:
    """How a machine is asked: for its pressure now, and for what others than this process do meanwhile."""

    pressure: Callable[[], float | None]
    watch: Callable[[], NoiseWatch]
    clock: Clock

    def watched(self, action: Callable[[], T]) -> tuple[T, Busyness]:
        """Return what `action` returns, and how busy the machine was meanwhile."""
        pressure = self.pressure()
        watch = self.watch()
        result = action()
        return result, Busyness(pressure=pressure, noise=watch.end())


def machine(clock: Clock) -> Machine:
    """Return the machine that this process runs on."""
    return Machine(pressure=noise.pressure_now, watch=lambda: noise.begin(clock=clock), clock=clock)
