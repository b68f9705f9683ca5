"""The live arm: what is measured of streams over HTTP is what the server sent, on the machine that there is.

K3 is one stream at a time, K4 are sixteen and sixty-four. On a quiet machine the limits are tight, on a busy
one wider; `pytest -rP` shows which arm was used.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import pytest

from gemma_eval import plugins
from gemma_eval.errors import BackendError
from gemma_eval.protocols import Backend, BackendFactory, Clock, TransformFactory
from gemma_eval.records import Delta, EngineInfo, Generation, ModelSpec, Prompt, SamplingProfile
from gemma_eval.selftest import bars
from gemma_eval.selftest.arm import Arm, machine
from gemma_eval.selftest.bars import LIMITS, Bar
from gemma_eval.selftest.groups import FULL, Group, Measured, measured
from gemma_eval.selftest.live import Client, Plan, run
from gemma_eval.selftest.process import RunningServer, running
from gemma_eval.selftest.script import Script
from tests.fresh import fresh
from tests.selftest import plain_client

ATTEMPTS = 5
"""A measurement that was disturbed is made again: what is wrong with the client is wrong every time."""
OURS: BackendFactory = plugins.load().backends.find("openai_http")


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    """A server for all tests here."""
    with running() as started:
        yield started


def client(load: BackendFactory) -> Client:
    """Return a client with real clocks."""
    return Client(load=load, clock=time.perf_counter_ns, cpu_clock=time.process_time_ns)


def best(group: Group, load: BackendFactory, server: RunningServer) -> Measured:
    """Measure a group until no bar is missed, at most `ATTEMPTS` times."""
    for _ in range(ATTEMPTS):
        found = measured(group, client=client(load), machine=machine(time.perf_counter_ns), server=server)
        shown = [f"  {bar.what}: {bar.measured:.4g} {bar.unit}, at most {bar.most}" for bar in found.bars]
        title = f"{group.title}: {found.busyness.arm} machine, {found.busyness}"
        print("", title, *shown, sep="\n", file=sys.stderr)
        if not missed(found.bars):
            break
    return found


def missed(found: tuple[Bar, ...]) -> list[str]:
    """Return what is not within its bar."""
    return [bar.what for bar in found if bar.kept is False]


def missed_afresh(group: int, load: str) -> list[str]:
    """Return what of a group of the self-test is missed by our client or by a plain one."""
    with running() as server:
        found = best(FULL[group], OURS if load == "ours" else plain_client.load, server)
    return missed(found.bars)


@pytest.mark.parametrize(
    ("group", "load"),
    [*((group, "ours") for group in range(len(FULL))), (0, "plain")],
    ids=["gaps", "short", "sixteen", "sixty-four", "gaps of a plain client"],
)
def test_what_is_measured_of_streams_is_what_was_sent(group: int, load: str) -> None:
    """Times between tokens, time to the first, requests in flight: within the bars of the arm.

    By what gemma_eval measures servers with, and by a client that is as plain as can be, each in an
    interpreter of its own: coverage would double the processor time of a client.
    """
    assert fresh(missed_afresh, group, load) == []


@dataclass(frozen=True)
class Wrong:
    """A client whose answers are changed by an error that a tool could have."""

    right: Backend
    change: Callable[[Generation], Generation]

    @property
    def chat_template(self) -> str | None:
        """That of the right one."""
        return self.right.chat_template

    def info(self) -> EngineInfo:
        """Say what the right one says."""
        return self.right.info()

    def count_tokens(self, text: str) -> int | None:
        """Count as the right one does."""
        return self.right.count_tokens(text)

    def generate(self, prompt: Prompt, *, profile: SamplingProfile, seed: int) -> Generation:
        """Answer, and be wrong about it."""
        return self.change(self.right.generate(prompt, profile=profile, seed=seed))

    def close(self) -> None:
        """Close the right one."""
        self.right.close()


def wrong(change: Callable[[Generation], Generation]) -> BackendFactory:
    """Return a factory of clients that have an error."""

    def load(spec: ModelSpec, *, clock: Clock, transforms: Mapping[str, TransformFactory]) -> Backend:
        return Wrong(plain_client.load(spec, clock=clock, transforms=transforms), change)

    return load


def later(ms: float, *, every: int = 1) -> Callable[[Generation], Generation]:
    """Return an error: every so many pieces are stamped late, as by a client that parses before it stamps."""

    def change(answer: Generation) -> Generation:
        late_ns = round(ms * 1e6)
        deltas = tuple(
            replace(delta, at_ns=delta.at_ns + (late_ns if number % every == 0 else 0))
            for number, delta in enumerate(_words(answer))
        )
        return replace(answer, deltas=deltas, ended_ns=answer.ended_ns + late_ns)

    return change


def from_before_the_connection(ms: float) -> Callable[[Generation], Generation]:
    """Return an error: the request is stamped before a connection was made that took so long."""
    return lambda answer: replace(answer, requested_ns=answer.requested_ns - round(ms * 1e6))


def until_the_end(answer: Generation) -> Generation:
    """Be wrong: the last token is stamped when the stream had ended, which took another 100 ms."""
    *before, last = _words(answer)
    late = replace(last, at_ns=answer.ended_ns + 100_000_000)
    return replace(answer, deltas=(*before, late), ended_ns=late.at_ns)


def role_for_a_token(answer: Generation) -> Generation:
    """Be wrong: the first chunk of any kind is taken for the first token."""
    return replace(answer, deltas=(replace(answer.deltas[0], n_tokens=1), *answer.deltas[1:]))


def _words(answer: Generation) -> list[Delta]:
    """Return the pieces that carry text."""
    return [delta for delta in answer.deltas if delta.text]


FEW = Group(title="a few", plans=(Plan(script=Script(pieces=12), requests=5),), asked=("gaps", "ttft"))


@pytest.mark.parametrize("arm", ["quiet", "busy"])
@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"quiet": later(2), "busy": later(20)}, "TTFT: median error"),
        (
            {"quiet": from_before_the_connection(2), "busy": from_before_the_connection(20)},
            "TTFT: median error",
        ),
        ({"quiet": later(1, every=2), "busy": later(2, every=2)}, "time between tokens: median error"),
        ({"quiet": until_the_end, "busy": until_the_end}, "TPOT: largest error of a stream"),
    ],
    ids=["stamped late", "stamped before connecting", "parsed before stamping", "ended with the stream"],
)
def test_a_client_that_stamps_wrongly_is_caught(
    arm: Arm, change: Mapping[Arm, Callable[[Generation], Generation]], what: str, server: RunningServer
) -> None:
    """The bars can be missed: each error is found by the figure that it is in, on either arm."""
    [plan] = FEW.plans
    errors = run(plan, client=client(wrong(change[arm])), server=server).errors
    limits = LIMITS[1, arm]
    assert what in missed((*bars.of_gaps(errors, limits), *bars.of_ttft(errors, limits)))


def test_a_client_that_takes_a_role_for_a_token_is_caught(server: RunningServer) -> None:
    """It saw a token more than was sent."""
    found = best(FEW, wrong(role_for_a_token), server)
    assert missed(found.bars) == ["streams of which a piece was lost"]


def test_a_request_that_is_missing_of_sixteen_is_caught(server: RunningServer) -> None:
    """The server saw fifteen at once, and one stream is lost, with what it failed with."""
    gate = iter(range(16))

    class OneTooFew(Wrong):
        def generate(self, prompt: Prompt, *, profile: SamplingProfile, seed: int) -> Generation:
            if next(gate) == 7:
                raise BackendError("no connection is left")
            return super().generate(prompt, profile=profile, seed=seed)

    def load(spec: ModelSpec, *, clock: Clock, transforms: Mapping[str, TransformFactory]) -> Backend:
        return OneTooFew(plain_client.load(spec, clock=clock, transforms=transforms), lambda answer: answer)

    plan = Plan(script=Script(pieces=20, gaps_ms=(20,)), requests=16, in_flight=16)
    group = Group(title="sixteen", plans=(plan,), asked=())
    found = measured(group, client=client(load), machine=machine(time.perf_counter_ns), server=server)
    assert missed(found.bars) == ["requests in flight at once", "streams of which a piece was lost"]
    assert (found.most_in_flight, found.errors.lost) == (15, 1)
    assert found.failure == "no connection is left"


def test_work_of_this_side_is_what_its_processors_did(server: RunningServer) -> None:
    """A client that computes for 1 ms about each piece is far beyond its bar."""

    def dwell(answer: Generation) -> Generation:
        until = time.process_time_ns() + 1_000_000 * len(answer.deltas)
        while time.process_time_ns() < until:
            pass
        return answer

    [plan] = FEW.plans
    found = run(plan, client=client(wrong(dwell)), server=server)
    assert bars.of_work(found.cpu_us_per_token, "busy").kept is False
