"""Judges for tests: functions that reply to what they are asked, and what a scorer is bound to."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import NoReturn

from gemma_eval.protocols import Services
from gemma_eval.records import Case, Generation, Message, Options, Question, Reply, Score, Source
from gemma_eval.scoring.judge import judge
from gemma_eval.scoring.judge_pairwise import judge_pairwise

Ask = Callable[[str, Question], Reply]


def a_case(*turns: str) -> Case:
    """Return a case that asks the last of `turns`, of which every other is the assistant's."""
    roles = ("user", "assistant")
    return Case(
        id="x",
        kind="quality",
        messages=tuple(
            Message(role="user" if roles[n % 2] == "user" else "assistant", content=turn)
            for n, turn in enumerate(turns or ("Where does Finn live?",))
        ),
        models=("m",),
        profiles=("greedy",),
        templates=("plain",),
        source=Source(path="x.toml", line=1),
    )


def an_answer(text: str) -> Generation:
    """Return an answer of which only the text matters."""
    return Generation(
        text=text,
        deltas=(),
        prompt_tokens=None,
        output_tokens=None,
        count_source="engine",
        finish_reason="stop",
        requested_ns=0,
        ended_ns=0,
    )


def score(options: Options, answer: str, ask: Ask, *, case: Case | None = None) -> Score:
    """Return the score of an answer by `judge` with these options."""
    return judge(options).bind(services(ask))(case or a_case(), an_answer(answer))


def score_pair(options: Options, answer: str, ask: Ask) -> Score:
    """Return the score of an answer by `judge_pairwise` with these options."""
    return judge_pairwise(options).bind(services(ask))(a_case(), an_answer(answer))


def services(ask: Ask) -> Services:
    """Return services of which one is there."""
    return Services(ask=ask, embed=no_embedder)


def no_embedder(*_: object) -> NoReturn:
    """Raise, for no judge embeds."""
    raise AssertionError("a judge embeds nothing")


def says(text: str) -> Ask:
    """Return a judge that always writes the same."""
    return lambda model, question: Reply(text=text, how="text")


def finds(probabilities: Mapping[str, float]) -> Ask:
    """Return a judge that finds its labels so probable."""
    known = {label: math.log(share) if share else -math.inf for label, share in probabilities.items()}
    return lambda model, question: Reply(text="", how="labels", label_log_probabilities=known)


def fails(why: str) -> Ask:
    """Return a judge that cannot be asked."""
    return lambda model, question: Reply(text="", how="text", failure=why)


def jury(**judges: Ask) -> Ask:
    """Return what asks each of several judges by its name."""
    return lambda model, question: judges[model](model, question)
