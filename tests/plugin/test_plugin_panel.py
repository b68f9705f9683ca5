"""The panel of progress: what it shows, when it is drawn, and that it never is while a benchmark runs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from io import StringIO

import pytest
from rich.console import Console

from gemma_eval.executors.in_process import CellResult
from gemma_eval.pytest_plugin import payload
from gemma_eval.pytest_plugin.panel import EVERY_S, Panel
from gemma_eval.pytest_plugin.panel_lines import clock, panel
from gemma_eval.pytest_plugin.progress import Progress
from gemma_eval.records import Cell
from tests.examples import a_cell, an_outcome

WIDTH, HEIGHT = 90, 24


def cells(*kinds: str, profiles: Sequence[str] = ("greedy",)) -> dict[str, Cell]:
    """Return a cell of each kind with each profile, by node ids."""
    found = {}
    for profile in profiles:
        for number, kind in enumerate(kinds):
            cell = a_cell(f"case-{number}", profile=profile)
            named = replace(cell, case=replace(cell.case, kind=kind))  # type: ignore[arg-type]
            found[f"@suite::{named.label}"] = named
    return found


def a_report(nodeid: str, *, outcome: str = "passed") -> pytest.TestReport:
    """Return what pytest reports of the call of an item."""
    return pytest.TestReport(
        nodeid=nodeid,
        location=("suite", 0, nodeid),
        keywords={},
        outcome=outcome,  # type: ignore[arg-type]
        longrepr=None,
        when="call",
    )


@dataclass
class Watched:
    """A panel on a terminal whose every letter is seen, at times that a test says."""

    cells: dict[str, Cell]
    has_workers: bool = False
    now_s: float = 0.0
    written: StringIO = field(default_factory=StringIO)

    def __post_init__(self) -> None:
        console = Console(
            file=self.written, force_terminal=True, width=WIDTH, height=HEIGHT, legacy_windows=False
        )
        self.panel = Panel(
            self.cells.get,
            has_workers=lambda: self.has_workers,
            console=lambda: console,
            clock_s=lambda: self.now_s,
        )
        self.panel.pytest_xdist_node_collection_finished(list(self.cells))

    def drawn(self) -> str:
        """Return what was written since this was asked for last."""
        text = self.written.getvalue()
        self.written.seek(0)
        self.written.truncate()
        return text

    def start(self, nodeid: str) -> str:
        """Begin an item, and return what was drawn."""
        self.panel.pytest_runtest_logstart(nodeid)
        return self.drawn()

    def report(self, nodeid: str, *, outcome: str = "passed") -> str:
        """Report an item with an outcome of its cell, and return what was drawn."""
        report = a_report(nodeid, outcome=outcome)
        made = an_outcome()
        payload.attach(report, CellResult(outcomes=(made,), fresh=(made,), engine=None), mendable=False)
        self.panel.pytest_runtest_logreport(report)
        return self.drawn()

    def finish(self, nodeid: str, *, after_s: float = 1.0) -> str:
        """End an item that took so long, and return what was drawn."""
        self.now_s += after_s
        self.panel.pytest_runtest_logfinish(nodeid)
        return self.drawn()


@pytest.fixture
def quality() -> Iterator[Watched]:
    """A panel over three questions with two profiles."""
    watched = Watched(cells("quality", "quality", "quality", profiles=("greedy", "hot")))
    yield watched
    watched.panel.end()


def test_it_shows_what_runs_what_is_done_what_failed_and_how_long_the_rest_may_take(quality: Watched) -> None:
    """Each of them, with score and speed of a group so far."""
    first, second, third, *_ = quality.cells
    assert "runs    case-0[scripted/greedy/rag]" in quality.start(first)
    quality.report(first)
    quality.finish(first, after_s=2.0)
    assert "1/6" in quality.start(second)
    quality.report(second, outcome="failed")
    quality.finish(second, after_s=2.0)
    shown = quality.start(third)
    assert "2/6" in shown
    assert "runs    case-2[scripted/greedy/rag]" in shown
    assert "1 failed" in shown
    assert "failed  case-1[scripted/greedy/rag]" in shown
    assert "0:04 gone" in shown
    assert "about 0:08 left" in shown
    assert "2/3" in shown
    score, rate = an_outcome().score, an_outcome().measurement
    assert score is not None
    assert rate is not None
    assert f"{score:.2f}" in shown


def test_nothing_is_drawn_from_the_beginning_of_a_benchmark_to_its_end() -> None:
    """It is drawn before its item begins, and before the next one does; not when it is recorded."""
    watched = Watched(cells("quality", "benchmark", "quality"))
    question, timed, last = watched.cells
    watched.start(question)
    watched.report(question)
    watched.finish(question)
    assert "case-1" in watched.start(timed)
    watched.now_s += 100 * EVERY_S
    assert watched.report(timed) == ""
    assert watched.finish(timed) == ""
    assert "2/3" in watched.start(last)
    assert "3/3" in watched.finish(last)
    watched.panel.end()


def test_of_workers_one_that_measures_keeps_the_panel_still() -> None:
    """What begins there has begun already when it is told; what others bring is shown afterwards."""
    watched = Watched(cells("quality", "benchmark", "quality"), has_workers=True)
    question, timed, other = watched.cells
    assert watched.start(question)
    assert watched.start(timed) == ""
    assert watched.report(question) == ""
    assert watched.finish(question) == ""
    assert watched.start(other) == ""
    assert "2/3" in watched.finish(timed)
    watched.panel.end()


def test_short_items_do_not_each_draw_and_a_long_one_always_does(quality: Watched) -> None:
    """Ten thousand quick questions are not slowed down; what stands long is new."""
    ids = list(quality.cells)
    for nodeid in ids[:2]:
        quality.start(nodeid)
        quality.finish(nodeid, after_s=EVERY_S / 10)
    assert quality.start(ids[2]) == ""
    assert quality.finish(ids[2], after_s=EVERY_S / 10) == ""
    quality.finish(ids[3], after_s=10 * EVERY_S)
    long = Watched(cells("quality", "quality", "quality"))
    first, second, third = long.cells
    for nodeid in (first, second):
        long.start(nodeid)
        long.finish(nodeid, after_s=100 * EVERY_S)
    assert "case-2" in long.start(third)
    long.panel.end()


def test_it_leaves_the_terminal_as_it_was(quality: Watched) -> None:
    """The cursor is shown at all times, for Ctrl-Z may give it to a shell; in the end the lines are gone."""
    drawn = quality.start(next(iter(quality.cells)))
    assert re.findall(r"\x1b\[\?25[lh]", drawn)[-1] == "\x1b[?25h"
    quality.panel.end()
    assert "\x1b[2K" in quality.drawn()
    quality.panel.end()
    assert quality.drawn() == ""


def test_what_is_said_meanwhile_stands_above_it(quality: Watched) -> None:
    """As that a benchmark waits for another process."""
    quality.start(next(iter(quality.cells)))
    quality.panel.say("waits for process 7")
    said = quality.drawn()
    assert said.index("waits for process 7") < said.rindex("0/6")


def test_many_groups_fit_a_low_terminal() -> None:
    """Those around the one at work are shown, and it is said how many there are beside them."""
    many = cells("quality", profiles=[f"profile-{number}" for number in range(60)])
    progress = Progress(list(many), many)
    for number, nodeid in zip(range(30), many, strict=False):
        progress.begin(nodeid, now_s=number)
        progress.end(nodeid, now_s=number + 1)
    lines = shown(progress)
    assert len(lines) <= HEIGHT
    assert any("profile-30 " in line for line in lines)
    assert any("more are done or wait" in line for line in lines)
    assert max(map(len, lines)) <= WIDTH


def shown(progress: Progress) -> list[str]:
    """Return the lines of the panel on a terminal of that size."""
    console = Console(file=StringIO(), width=WIDTH, height=HEIGHT)
    with console.capture() as capture:
        console.print(panel(progress, gone_s=12, height=HEIGHT))
    return [line.rstrip() for line in capture.get().splitlines()]


def test_a_name_holds_nothing_that_a_terminal_obeys() -> None:
    """Suites are files that somebody else may have written."""
    named = {"suite::\x1b]0;owned\x07": a_cell()}
    progress = Progress(list(named), named)
    progress.begin(next(iter(named)), now_s=0)
    assert not any("\x1b" in line or "\x07" in line for line in shown(progress))


def test_the_first_answer_of_a_model_does_not_spoil_the_estimate() -> None:
    """It waits for the engine, which is loaded once."""
    known = cells(*["quality"] * 11)
    progress = Progress(list(known), known)
    ids = iter(known)
    for took_s in (50.0, 1.0):
        nodeid = next(ids)
        progress.begin(nodeid, now_s=0)
        progress.end(nodeid, now_s=took_s)
    assert progress.remaining_s() == pytest.approx(9.0)


def test_two_workers_take_half_the_time() -> None:
    """As many as were seen to run at once."""
    known = cells(*["quality"] * 6)
    progress = Progress(list(known), known)
    one, two, three, four, *_ = known
    for pair, begin_s in (((one, two), 0), ((three, four), 1)):
        for nodeid in pair:
            progress.begin(nodeid, now_s=begin_s)
        for nodeid in pair:
            progress.end(nodeid, now_s=begin_s + 1)
    assert progress.remaining_s() == pytest.approx(1.0)


def test_before_anything_has_ended_nothing_is_said_of_the_rest() -> None:
    """Not known is not 0."""
    known = cells("quality")
    progress = Progress(list(known), known)
    assert progress.remaining_s() is None
    assert progress.expected_s(next(iter(known))) is None
    assert not any("left" in line for line in shown(progress))


def test_a_test_of_another_kind_is_counted_and_belongs_to_no_group() -> None:
    """A session may run tests beside suites."""
    known = cells("quality")
    progress = Progress([*known, "test_other.py::test_one"], known)
    progress.begin("test_other.py::test_one", now_s=0)
    progress.fail("test_other.py::test_one")
    progress.end("test_other.py::test_one", now_s=1)
    assert (progress.done, progress.planned, len(progress.failed)) == (1, 2, 1)
    assert [group.done for group in progress.groups.values()] == [0]


@pytest.mark.parametrize(
    ("seconds", "text"), [(7, "0:07"), (760, "12:40"), (3723, "1:02:03"), (59.6, "1:00")]
)
def test_a_clock_is_read_at_a_glance(seconds: float, text: str) -> None:
    """Minutes and seconds, hours where there are some."""
    assert clock(seconds) == text
