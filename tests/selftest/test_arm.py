"""A machine is quiet when nothing but what is measured keeps it busy."""

from __future__ import annotations

from pathlib import Path

import pytest

from gemma_eval.selftest.arm import Arm, Busyness, Machine, Usage, cpu_pressure, cpu_usage, machine

PSI = """\
some avg10={avg10} avg60=0.90 avg300=0.31 total=3531432
full avg10=0.00 avg60=0.00 avg300=0.00 total=0
"""


def a_machine(*usages: Usage, seconds: float = 1.0, pressure: float | None = 0.0) -> Machine:
    """Return a machine of two processors that used these, with a clock that goes on by `seconds`."""
    readings, times = iter(usages), iter((0, round(seconds * 1e9)))
    return Machine(
        pressure=lambda: pressure, usage=lambda _: next(readings), processors=2, clock=lambda: next(times)
    )


def test_work_of_others_is_a_share_of_the_machine() -> None:
    """All that was used but for what is ours: 0.9 s - 0.5 s, of two processors for two seconds."""
    usages = Usage(machine_s=10.0, ours_s=3.0), Usage(machine_s=10.9, ours_s=3.5)
    result, busyness = a_machine(*usages, seconds=2).watched(lambda: "done")
    assert result == "done"
    assert busyness.others == pytest.approx(0.1)


def test_clocks_that_do_not_agree_make_no_negative_work() -> None:
    """The system counts in steps of 10 ms, and ours more finely."""
    usages = Usage(machine_s=1.0, ours_s=0.0), Usage(machine_s=1.0, ours_s=0.004)
    assert a_machine(*usages).watched(lambda: None)[1].others == 0


@pytest.mark.parametrize(
    ("pressure", "others", "arm"),
    [
        (0.0, 0.0, "quiet"),
        (0.049, 0.049, "quiet"),
        (0.05, 0.0, "busy"),
        (0.0, 0.05, "busy"),
        (None, 0.0, "quiet"),
    ],
)
def test_a_machine_is_busy_from_five_per_cent(pressure: float | None, others: float, arm: Arm) -> None:
    """Of waiting before, or of others' work meanwhile; where waiting is not told, others' work decides."""
    assert Busyness(pressure=pressure, others=others).arm == arm


def test_pressure_is_the_share_of_the_last_ten_seconds(tmp_path: Path) -> None:
    """Of those in which some task waited."""
    file = tmp_path / "cpu"
    file.write_text(PSI.format(avg10="12.50"))
    assert cpu_pressure(file) == pytest.approx(0.125)


@pytest.mark.parametrize("text", ["", "full avg10=0.00\n", "some avg60=0.1\n", "some avg10=x\n", None])
def test_pressure_that_is_not_told_is_none(tmp_path: Path, text: str | None) -> None:
    """Another system, an old kernel, a file of another form."""
    file = tmp_path / "cpu"
    if text is not None:
        file.write_text(text)
    assert cpu_pressure(file) is None


def test_this_process_is_not_another() -> None:
    """What it burns is ours: the machine used it, and so did we."""
    here = machine(lambda: 0)
    before = cpu_usage(())
    total = sum(range(4_000_000))
    after = cpu_usage(())
    assert total
    assert here.processors >= 1
    assert after.ours_s > before.ours_s
    assert after.machine_s >= before.machine_s
