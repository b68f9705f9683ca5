"""Requests of a load are trials like others: prepared before, stamped from the schedule, measured after."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import pytest

from gemma_eval.cases.expand import trials
from gemma_eval.errors import BackendError
from gemma_eval.executors.trials import run_each
from gemma_eval.records import (
    Case,
    Cell,
    Delta,
    Generation,
    Given,
    Load,
    Outcome,
    Prompt,
    Retrieved,
    Score,
    Trial,
)
from gemma_eval.stages import Stages
from tests.examples import a_cell
from tests.measure.virtual_time import MS, VirtualTime


def under(load: Load, *, requests: int) -> tuple[Trial, ...]:
    """Return the trials of a benchmark with that load."""
    cell: Cell = a_cell()
    case = replace(cell.case, kind="benchmark", checks=(), repeats=requests, load=load)
    return trials(replace(cell, case=case))


@dataclass
class Server:
    """Takes 40 ms for each request on a virtual time, any number at once, and notes what it was asked."""

    virtual: VirtualTime = field(default_factory=VirtualTime)
    max_in_flight: int | None = None
    fails: Sequence[int] = ()
    process_ids: Callable[[], tuple[int, ...]] | None = None
    log: list[str] = field(default_factory=list)

    def run(self, planned: Sequence[Trial]) -> tuple[Outcome, ...]:
        """Have the trials answered."""
        return tuple(self.coming(planned))

    def coming(self, planned: Sequence[Trial]) -> Iterator[Outcome]:
        """Have the trials answered, and yield their outcomes."""
        stage = Stages(
            retrieve=_nothing,
            build_prompt=self._prompt,
            generate=self._answer,
            score=_no_scores,
            max_in_flight=self.max_in_flight,
            process_ids=self.process_ids,
        )
        return run_each(planned, stage, time=self.virtual.time)

    def _prompt(self, trial: Trial, retrieved: Retrieved) -> Prompt:
        del retrieved
        self.log.append("prompt")
        return Prompt(messages=trial.cell.case.messages, text=None, n_tokens=7)

    def _answer(self, prompt: Prompt, trial: Trial) -> Generation:
        self.log.append("sent")
        requested_ns = self.virtual.now_ns
        self.virtual.sleep_ns(40 * MS)
        made = Generation(
            text="x",
            deltas=(Delta(text="x", n_tokens=1, at_ns=self.virtual.now_ns),),
            prompt_tokens=prompt.n_tokens,
            cached_tokens=0,
            output_tokens=1,
            count_source="engine",
            finish_reason="stop",
            requested_ns=requested_ns,
            ended_ns=self.virtual.now_ns,
        )
        if trial.repeat in self.fails:
            raise BackendError("the line went dead", partial=replace(made, finish_reason="error"))
        return made


def _nothing(trial: Trial) -> Retrieved:
    del trial
    return Retrieved()


def _no_scores(case: Case, given: Given) -> tuple[Score, ...]:
    del case, given
    return ()


def times(outcomes: Sequence[Outcome], name: str) -> list[float | str | None]:
    """Return a metric of each outcome, or why it has none."""
    measured = [outcome.measurement for outcome in outcomes if outcome.measurement is not None]
    return [each.missing.get(name) or getattr(each, name) for each in measured]


def test_a_closed_loop_keeps_so_many_requests_in_flight() -> None:
    """Two at a time, forty milliseconds each; the first and the last of all have no times."""
    planned = under(Load(concurrency=2, warmup=2, cooldown=1), requests=6)
    outcomes = Server().run(planned)
    assert [outcome.trial for outcome in outcomes] == list(planned)
    began = [outcome.generation.requested_ns for outcome in outcomes if outcome.generation is not None]
    assert [(at_ns - began[0]) // (40 * MS) for at_ns in began] == [0, 0, 1, 1, 2, 2]
    assert [outcome.phase for outcome in outcomes] == ["warmup"] * 2 + ["measured"] * 3 + ["cooldown"]
    assert times(outcomes, "ttft_s") == ["warmup", "warmup", 0.04, 0.04, 0.04, "cooldown"]
    assert times(outcomes, "ttft_sched_s")[2:5] == ["not_scheduled"] * 3


def test_an_open_loop_counts_from_when_a_request_was_due() -> None:
    """Fifty per second at one that takes forty milliseconds: each waits twenty more than the one before."""
    load = Load(rate_per_s=50, arrival="constant")
    outcomes = Server(max_in_flight=1).run(under(load, requests=4))
    assert times(outcomes, "e2e_s") == [0.04] * 4
    assert times(outcomes, "queue_delay_s") == pytest.approx([0.0, 0.02, 0.04, 0.06])
    assert times(outcomes, "e2e_sched_s") == pytest.approx([0.04, 0.06, 0.08, 0.10])


def test_a_request_that_fails_keeps_its_stamps_and_costs_no_other() -> None:
    """What had come is there, when it was due as well, and it has no times."""
    load = Load(rate_per_s=10, arrival="constant", max_in_flight=1)
    outcomes = Server(fails=(1,)).run(under(load, requests=3))
    assert [outcome.failure and outcome.failure.message for outcome in outcomes] == [
        None,
        "the line went dead",
        None,
    ]
    broken = outcomes[1].generation
    assert broken is not None
    assert (broken.text, broken.finish_reason) == ("x", "error")
    assert broken.scheduled_ns is not None
    assert times(outcomes, "ttft_s") == [0.04, "failed", 0.04]


def test_prompts_are_made_before_the_first_request_is_sent() -> None:
    """Templates and retrieval do not stand in the way of a schedule."""
    server = Server()
    server.run(under(Load(concurrency=1), requests=3))
    assert server.log == ["prompt"] * 3 + ["sent"] * 3


def test_requests_of_a_load_have_the_peak_of_all_and_no_share_of_what_was_spent() -> None:
    """As the answers of a batch have: the memory of the engine is that of the whole load."""
    outcomes = Server().run(under(Load(concurrency=2), requests=3))
    peaks = set(times(outcomes, "peak_memory_bytes"))
    assert len(peaks) == 1
    assert all(isinstance(peak, float | int) and peak > 1 << 20 for peak in peaks)
    for spent in ("cpu_s", "cpu_s_per_output_token", "energy_j", "involuntary_switches"):
        assert times(outcomes, spent) == ["shared"] * 3


def test_what_was_answered_before_an_interrupt_comes_before_it() -> None:
    """The fourth of six requests, two at a time: the one beside it ends, and no other is sent."""

    class Interrupted(Server):
        def _answer(self, prompt: Prompt, trial: Trial) -> Generation:
            made = super()._answer(prompt, trial)
            if trial.repeat == 3:
                raise KeyboardInterrupt
            return made

    planned = under(Load(concurrency=2, warmup=1, cooldown=1), requests=6)
    server = Interrupted()
    coming = server.coming(planned)
    came: list[Outcome] = []
    with pytest.raises(KeyboardInterrupt):
        came.extend(coming)
    assert [outcome.trial.repeat for outcome in came] == [0, 1, 2, 4]
    assert times(came, "ttft_s") == ["warmup", 0.04, 0.04, 0.04]
    assert server.log.count("sent") == 5


@pytest.mark.parametrize("what", [KeyboardInterrupt(), ZeroDivisionError("of a plugin")])
def test_what_is_raised_as_the_watch_ends_costs_no_answer(what: BaseException) -> None:
    """All were answered by then; only what they took is not known."""
    server = Server()

    def process_ids() -> tuple[int, ...]:
        if server.log.count("sent") == 4:
            raise what
        return (os.getpid(),)

    server.process_ids = process_ids
    coming = server.coming(under(Load(concurrency=2), requests=4))
    came: list[Outcome] = []
    with pytest.raises(type(what)):
        came.extend(coming)
    assert times(came, "ttft_s") == [0.04] * 4
    assert times(came, "peak_memory_bytes") == ["not_watched"] * 4


def test_an_interrupt_of_the_load_comes_before_what_the_watch_raises() -> None:
    """It is what the user did."""

    class Interrupted(Server):
        def _answer(self, prompt: Prompt, trial: Trial) -> Generation:
            super()._answer(prompt, trial)
            raise KeyboardInterrupt

    server = Interrupted()

    def process_ids() -> tuple[int, ...]:
        return (os.getpid(),) if "sent" not in server.log else (1 // 0,)

    server.process_ids = process_ids
    with pytest.raises(KeyboardInterrupt):
        server.run(under(Load(concurrency=1), requests=2))


def test_a_load_beyond_what_the_engine_takes_is_not_sent() -> None:
    """Waiting in a line of its own would look like an engine that is slow."""
    server = Server(max_in_flight=2)
    outcomes = server.run(under(Load(concurrency=3), requests=3))
    messages = {outcome.failure.message for outcome in outcomes if outcome.failure is not None}
    assert messages == {"the load has 3 requests in flight, and the engine takes 2 at once"}
    assert "sent" not in server.log


def test_a_fault_of_a_plugin_costs_one_request_and_not_the_load() -> None:
    """What the others had measured is kept."""

    class Faulty(Server):
        def _answer(self, prompt: Prompt, trial: Trial) -> Generation:
            made = super()._answer(prompt, trial)
            return made if trial.repeat != 1 else 1 / 0  # type: ignore[return-value]

    outcomes = Faulty().run(under(Load(concurrency=1), requests=3))
    assert [outcome.failure and outcome.failure.message for outcome in outcomes] == [
        None,
        "ZeroDivisionError: division by zero",
        None,
    ]
