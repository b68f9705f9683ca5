"""Streams from the test server through a backend, as many at once as asked, held against the truth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass

from gemma_eval.errors import BackendError
from gemma_eval.measure.load import drive
from gemma_eval.protocols import Backend, BackendFactory, Clock
from gemma_eval.records import Generation, Load, Message, ModelSpec, Prompt, SamplingProfile
from gemma_eval.selftest.compare import Errors, errors
from gemma_eval.selftest.process import RunningServer
from gemma_eval.selftest.script import Script


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """So many requests of one script, always `in_flight` of them at once."""

    script: Script
    requests: int = 1
    in_flight: int = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Streams:
    """What came of a plan: errors, the most requests that the server saw at once, and this side's work.

    `cpu_us_per_token` is the processor time of this process; `failure` is what the first stream failed with.
    """

    errors: Errors
    most_in_flight: int
    cpu_us_per_token: float
    failure: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Client:
    """What is measured with: a backend of HTTP, its clock, and the clock of this process's processor time."""

    load: BackendFactory
    clock: Clock
    cpu_clock: Clock


def run(plan: Plan, *, client: Client, server: RunningServer) -> Streams:
    """Have all requests of a plan answered, and compare what was measured with what was sent."""
    spec = ModelSpec(
        name="selftest", backend="openai_http", location=server.url, options={"model": plan.script.name}
    )
    asked = [f"request {number}" for number in range(plan.requests)]
    with closing(client.load(spec, clock=client.clock, transforms={})) as backend:
        server.truth()
        before = client.cpu_clock()
        answers = _answers(backend, asked, plan)
        spent_ns = client.cpu_clock() - before
    truth = server.truth()
    made = {
        text: answer for text, answer in zip(asked, answers, strict=True) if isinstance(answer, Generation)
    }
    failures = [str(answer) for answer in answers if isinstance(answer, BackendError)]
    return Streams(
        errors=errors(asked, measured=made, served=truth.served),
        most_in_flight=truth.most_in_flight,
        cpu_us_per_token=spent_ns / 1e3 / (plan.script.output_tokens * plan.requests),
        failure=failures[0] if failures else None,
    )


def together(parts: Sequence[Streams]) -> Errors:
    """Return the errors of several plans as one."""
    return Errors(
        streams=tuple(stream for part in parts for stream in part.errors.streams),
        lost=sum(part.errors.lost for part in parts),
    )


def _answers(backend: Backend, asked: Sequence[str], plan: Plan) -> Sequence[Generation | BackendError]:
    profile = SamplingProfile(name="selftest", max_tokens=plan.script.output_tokens)
    ask = _asking(backend, profile)
    if plan.in_flight == 1:
        return [ask(text) for text in asked]
    load = Load(concurrency=plan.in_flight)
    return drive(load, n=len(asked), seed=0, send=lambda slot: ask(asked[slot.index]))


def _asking(backend: Backend, profile: SamplingProfile) -> Callable[[str], Generation | BackendError]:
    def ask(text: str) -> Generation | BackendError:
        prompt = Prompt(messages=(Message(role="user", content=text),), text=None, n_tokens=None)
        try:
            return backend.generate(prompt, profile=profile, seed=0)
        except BackendError as error:
            return error

    return ask
