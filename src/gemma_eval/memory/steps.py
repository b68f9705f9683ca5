"""Notes what the steps of a retrieval took, and what each left."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from gemma_eval.protocols import Clock
from gemma_eval.records import Step, StepName, Trace


@dataclass(kw_only=True)
class Tracing:
    """A trace that grows; steps may be noted from several threads."""

    clock: Clock
    degraded: list[str] = field(default_factory=list)
    relevant: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    _steps: list[Step] = field(default_factory=list)
    _found: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @contextmanager
    def step(self, name: StepName, *, after: Sequence[StepName] = ()) -> Iterator[None]:
        """Note how long what happens inside takes, whether or not it succeeds."""
        began_ns = self.clock()
        try:
            yield
        finally:
            step = Step(name=name, began_ns=began_ns, ended_ns=self.clock(), after=tuple(after))
            self._steps.append(step)

    def found(self, name: StepName, ids: Sequence[str]) -> None:
        """Note what remained after a step, best first."""
        self._found[name] = tuple(ids)

    def trace(self) -> Trace:
        """Return the trace, its steps in the order in which they began."""
        return Trace(
            steps=tuple(sorted(self._steps, key=lambda step: step.began_ns)),
            found=dict(self._found),
            relevant=self.relevant,
            degraded="; ".join(self.degraded) or None,
        )
