"""Runs of several kinds, to export: each is what some user has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from gemma_eval.records import (
    Check,
    ChoiceReading,
    Failure,
    Message,
    ModelSpec,
    Option,
    Outcome,
    Prompt,
    Report,
    Score,
    Vote,
)
from tests.examples import a_case, an_outcome
from tests.report.example import Shape, example, report_of, with_text


def quality() -> Report:
    """Return a run of questions with some failures, unscored answers and missing values."""
    return example(Shape(cases=6))


def repeated() -> Report:
    """Return a run of which every case was asked three times."""
    return example(Shape(cases=3, repeats=3))


def interrupted() -> Report:
    """Return a run that lacks answers, and of which the rest came in another order, as after a resume."""
    whole = example(Shape(cases=4, unfinished=5))
    return report_of(tuple(reversed(whole.outcomes)), unfinished=5)


def benchmark() -> Report:
    """Return a run in which nothing is checked."""
    return report_of([_unchecked(outcome) for outcome in example(Shape(cases=4)).outcomes])


def failed() -> Report:
    """Return a run in which no answer came."""
    failure = Failure(kind="timeout", message="no token for 30 s")
    outcomes = [
        replace(each, failure=failure, generation=None, measurement=None, scores=()) for each in _plain()
    ]
    return report_of(outcomes)


def unscored() -> Report:
    """Return a run of which a judge failed, with its votes."""
    votes = (
        Vote(judge="j", value=None, reason="prose"),
        Vote(judge="k", value=1.0, label="yes", swapped=True),
    )
    score = Score(scorer="judge", value=None, passed=None, unscored="no verdict", votes=votes)
    return report_of([replace(each, scores=(score,)) for each in _plain()])


def judged() -> Report:
    """Return a run of which two models judged."""
    votes = (Vote(judge="j", value=0.5, label="partly"), Vote(judge="k", value=1.0, label="yes"))
    score = Score(scorer="judge", value=0.75, passed=None, votes=votes)
    judges = tuple(ModelSpec(name=name, backend="scripted", location="") for name in "jk")
    options: dict[str, Option] = {"judges": ("j", "k"), "rubric": "Is it right?"}
    case = a_case(checks=(Check(scorer="judge", options=options, judges=("j", "k")),))
    return report_of(
        [replace(_in_cell(each, case=case, judges=judges), scores=(score,)) for each in _plain()]
    )


def _in_cell(outcome: Outcome, **changes: object) -> Outcome:
    cell = replace(outcome.trial.cell, **changes)  # type: ignore[arg-type]
    return replace(outcome, trial=replace(outcome.trial, cell=cell))


def conversation() -> Report:
    """Return a run with an earlier turn and no prompt text, as of a server that applies its own markup."""
    turns = (Message(role="user", content="Hi"), Message(role="assistant", content="Yes?"))
    return report_of([_with_turns(each, turns) for each in _plain()])


def choices() -> Report:
    """Return a run of a question with choices."""
    readings = (
        ChoiceReading(text="Oslo", log_probabilities=(-0.5, -0.25), is_greedy=True),
        ChoiceReading(text="Rome", log_probabilities=(-2.0,), is_greedy=False),
    )
    case = a_case(choices=("Oslo", "Rome"), target=0, checks=(Check(scorer="acc"),))
    score = Score(scorer="acc", value=1.0, passed=None, figures={"acc_norm": 1.0})
    return report_of(
        [
            replace(
                each,
                trial=replace(each.trial, cell=replace(each.trial.cell, case=case)),
                generation=None if each.generation is None else replace(each.generation, choices=readings),
                scores=(score,),
            )
            for each in _plain()
        ]
    )


def alone() -> Report:
    """Return a run of texts that are read after nothing."""
    made = []
    for number, each in enumerate(_plain()):
        text = f"Oslo is old, and has {number} bridges."
        reading = ChoiceReading(text=text, log_probabilities=(-2.0, -3.5), is_greedy=False)
        scores = (Score(scorer="bits_per_byte", value=0.5, passed=None, figures={"n_bytes": 33.0}),)
        case = replace(
            each.trial.cell.case, messages=(), continuation=text, checks=(Check(scorer="bits_per_byte"),)
        )
        generation = replace(each.generation, text=text, choices=(reading,)) if each.generation else None
        prompt = Prompt(messages=(), text="", n_tokens=0)
        read = replace(_in_cell(each, case=case), generation=generation, prompt=prompt, scores=scores)
        made.append(read)
    return report_of(made)


def hostile() -> Report:
    """Return a run in which every name and text is meant to break a file or a path."""
    return with_text(example(Shape(cases=2)), "../../data", "a\udc80b", '=1+1"\n,;', "nul", "x\x00y", " ")


RUNS: Mapping[str, Callable[[], Report]] = {
    made.__name__: made
    for made in (
        quality, repeated, interrupted, benchmark, failed, unscored, judged, conversation, choices, alone,
        hostile,
    )
}  # fmt: skip


def _plain() -> list[Outcome]:
    return [an_outcome(case, profile=profile) for profile in ("greedy", "hot") for case in ("home", "pet")]


def _unchecked(outcome: Outcome) -> Outcome:
    case = replace(outcome.trial.cell.case, checks=(), kind="benchmark")
    trial = replace(outcome.trial, cell=replace(outcome.trial.cell, case=case))
    return replace(outcome, trial=trial, scores=())


def _with_turns(outcome: Outcome, turns: tuple[Message, ...]) -> Outcome:
    case = replace(outcome.trial.cell.case, messages=(*turns, *outcome.trial.cell.case.messages))
    prompt = Prompt(messages=case.messages, text=None, n_tokens=None)
    return replace(
        outcome, trial=replace(outcome.trial, cell=replace(outcome.trial.cell, case=case)), prompt=prompt
    )
