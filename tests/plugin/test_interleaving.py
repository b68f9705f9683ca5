"""Blocks alternate while something is open, and are run again when heat or memory spoiled them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

import pytest

from gemma_eval.executors.arm import Arm, Measured
from gemma_eval.measure.noise import spoils
from gemma_eval.pytest_plugin import interleaving
from gemma_eval.pytest_plugin.interleaving import Interleaving, run_blocks
from gemma_eval.pytest_plugin.recorder import Recorder
from gemma_eval.records import Noise
from tests.examples import a_run, an_outcome

SIDES = Interleaving(
    candidate=Arm(name="candidate", folder=Path(), options=(), whole=()),
    base=Arm(name="base", folder=Path(), options=(), whole=()),
    instead=None,
    found="another",
    commit=None,
    has_timed=True,
)
HOT = "heat slowed processors down 3 times; none is allowed"
BUSY = "other processes took 40 % of the processors' time; 5 % is allowed"


@dataclass
class Records:
    """Stands in for the database: notes which block of which run was recorded."""

    recorded: list[tuple[str, int]] = field(default_factory=list)
    run: object = field(default_factory=a_run)
    base: object = field(default_factory=lambda: a_run("base"))

    def record_block(self, run_id: str, measured: Measured, *, block: int) -> None:
        """Note it."""
        self.recorded.append((run_id, block))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Answer at once for each side, with the noise that is given by `noises`; return who was asked."""
    order: list[str] = []

    def measure(arm: Arm, *, timed: bool) -> Measured:
        order.append(f"{arm.name}, timed" if timed else arm.name)
        reasons = NOISES.pop(0) if NOISES else ()
        run = replace(a_run(), noise=Noise(reasons=tuple(reasons)))
        return Measured(run=run, outcomes=(an_outcome("a"),))

    monkeypatch.setattr(interleaving, "measure", measure)
    yield order
    NOISES.clear()


NOISES: list[Sequence[str]] = []


def run(
    *, most: int = 4, goes_on: bool = True, sides: Interleaving = SIDES
) -> tuple[Records, str, list[str]]:
    """Return what was recorded, why it ended, and what was said."""
    records, said = Records(), cast(list[str], [])
    why = run_blocks(sides, cast(Recorder, records), most=most, goes_on=lambda _: goes_on, say=said.append)
    return records, why, said


def test_the_base_runs_whole_and_then_the_sides_take_turns(asked: list[str]) -> None:
    """Candidate and base, base and candidate: a machine that grows slower favours neither."""
    records, why, _ = run()
    turns = ["candidate", "base", "base", "candidate"] * 2
    assert asked == ["base", *(f"{side}, timed" for side in turns)]
    assert records.recorded[0] == ("base", 0)
    assert [block for _, block in records.recorded[1:]] == [1, 1, 2, 2, 3, 3, 4, 4]
    assert why == ""


def test_it_ends_when_everything_is_decided(asked: list[str]) -> None:
    """After the block that decided."""
    records, _, _ = run(goes_on=False)
    assert [block for _, block in records.recorded] == [0, 1, 1]


def test_what_is_not_timed_needs_no_block(asked: list[str]) -> None:
    """The base is run once for its answers."""
    records, _, _ = run(sides=replace(SIDES, has_timed=False))
    assert records.recorded == [("base", 0)]
    assert asked == ["base"]


def test_a_block_that_heat_spoiled_is_run_again(asked: list[str]) -> None:
    """Nothing of it is recorded, on neither side."""
    NOISES.extend([(), (), (HOT,)])
    records, why, said = run(most=5)
    assert [block for _, block in records.recorded[1:]] == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    assert said[1] == f"block 1 of at most 5 is left out: {HOT}"
    assert why == ""


def test_a_machine_that_is_always_hot_is_no_place_to_measure(asked: list[str]) -> None:
    """Not more than a fifth may be spoiled."""
    NOISES.extend([(HOT,)] * 40)
    records, why, _ = run(most=10)
    assert records.recorded == [("base", 0)]
    assert why == f"3 blocks were spoiled, the last since {HOT}"


def test_who_waits_waits_on_both_sides(asked: list[str]) -> None:
    """A busy machine widens bounds; it spoils no block."""
    assert spoils(Noise(reasons=(BUSY, HOT))) == (HOT,)
    assert spoils(None) == ()
    NOISES.extend([(BUSY,)] * 40)
    records, why, _ = run()
    assert len(records.recorded) == 9
    assert why == ""
