"""The steps of a retrieval are noted as they happen, and those of an answer are one line."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gemma_eval.memory.steps import Tracing
from gemma_eval.records import Step, Trace
from tests.examples import an_outcome
from tests.memory.letters import ticking


def test_steps_are_in_the_order_in_which_they_began() -> None:
    """One inside another ends before it; each says what it waited for, and what it left."""
    tracing = Tracing(clock=ticking())
    with tracing.step("lexical"), tracing.step("vector", after=["embed"]):
        pass
    tracing.found("vector", ["b", "a"])
    tracing.degraded += ["one", "two"]
    assert tracing.trace() == Trace(
        steps=(
            Step(name="lexical", began_ns=0, ended_ns=3),
            Step(name="vector", began_ns=1, ended_ns=2, after=("embed",)),
        ),
        found={"vector": ("b", "a")},
        degraded="one; two",
    )


def test_a_step_that_fails_has_taken_its_time() -> None:
    """As long as it took to fail."""
    tracing = Tracing(clock=ticking())
    with pytest.raises(ZeroDivisionError), tracing.step("embed"):
        raise ZeroDivisionError
    assert tracing.trace().steps == (Step(name="embed", began_ns=0, ended_ns=1),)


def test_packing_waits_for_what_was_found_and_the_answer_for_the_prompt() -> None:
    """So that the longest way through the steps of an answer can be told."""
    outcome = an_outcome()
    assert outcome.prompt is not None
    assert outcome.generation is not None
    searched = Step(name="lexical", began_ns=0, ended_ns=1)
    ranked = Step(name="rank", began_ns=1, ended_ns=2, after=("lexical",))
    packed = Step(name="pack", began_ns=3, ended_ns=4)
    rendered = Step(name="render", began_ns=4, ended_ns=5, after=("pack",))
    prompt = replace(outcome.prompt, steps=(packed, rendered))
    assert replace(outcome, prompt=prompt).steps == ()
    whole = replace(outcome, prompt=prompt, trace=Trace(steps=(searched, ranked)))
    generated = Step(
        name="generate",
        began_ns=outcome.generation.requested_ns,
        ended_ns=outcome.generation.ended_ns,
        after=("render",),
    )
    assert whole.steps == (searched, ranked, replace(packed, after=("rank",)), rendered, generated)
    alone = replace(outcome, prompt=replace(prompt, steps=()), trace=Trace(steps=(searched, ranked)))
    assert alone.steps == (searched, ranked, replace(generated, after=("rank",)))
